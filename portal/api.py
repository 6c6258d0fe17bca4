"""The portal's front door: its permissions, for other faces of the same tenant."""

from portal.data import Permission
from portal.permissions import MATRIX, allows

__all__ = ["MATRIX", "Permission", "allows"]
