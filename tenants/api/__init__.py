"""The tenants app's front door, in the parts that it has room for.

A part is loaded when somebody asks for what it offers, the light ones first: a gateway needs few names of few parts,
and would otherwise carry the code of all of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenants.api.facts import *
    from tenants.api.isolation import *
    from tenants.api.life import *
    from tenants.api.people import *
    from tenants.api.settings import *
    from tenants.api.terms import *
else:
    _PARTS = ("facts", "people", "terms", "settings", "life", "isolation")

    def __getattr__(name: str) -> Any:
        """What one of the parts offers, or all their names. Raises AttributeError for what none of them does."""
        if name == "__all__":
            return [offered for part in _PARTS for offered in import_module(f"{__name__}.{part}").__all__]
        for part in _PARTS if not name.startswith("__") else ():
            module = import_module(f"{__name__}.{part}")
            if name in module.__all__:
                globals()[name] = found = getattr(module, name)
                return found
        raise AttributeError(f"{__name__} offers no {name}")
