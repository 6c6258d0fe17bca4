"""Every change of how people prove who they are."""
