"""From where the workspace may be used."""
