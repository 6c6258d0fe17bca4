"""What separates this workspace from others, with evidence; for its owners and admins."""
