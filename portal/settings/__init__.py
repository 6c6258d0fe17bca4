"""A member's own language, appearance and password."""
