"""What owners and admins decide for their whole workspace, with the history of it."""
