"""API sessions: what a member's program shows instead of a password. Keys that sign, access tokens, refresh tokens."""
