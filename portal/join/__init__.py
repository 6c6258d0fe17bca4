"""Joining a workspace by the link of an invitation."""
