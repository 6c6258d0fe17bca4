"""Members of a workspace: who they are, what they may, and how others join."""
