"""The tenants app's front door, in the parts that it has room for."""

from tenants.api import facts, isolation, life, people, settings, terms
from tenants.api.facts import *
from tenants.api.isolation import *
from tenants.api.life import *
from tenants.api.people import *
from tenants.api.settings import *
from tenants.api.terms import *

__all__: list[str] = []
__all__ += facts.__all__
__all__ += isolation.__all__
__all__ += life.__all__
__all__ += people.__all__
__all__ += settings.__all__
__all__ += terms.__all__
