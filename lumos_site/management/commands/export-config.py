"""The name of the command with a hyphen; everything is in export_config."""

from lumos_site.management.commands.export_config import Command

__all__ = ["Command"]
