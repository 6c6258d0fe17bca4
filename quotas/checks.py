"""System checks of the quotas app."""
