"""What every room's admin pages share: base classes, confirmation pages, cells of lists. Owns no model."""

from core.admin.base import Choice, LumosModelAdmin, OfTenant, Question, ReadOnlyAdmin, tell
from core.admin.confirm import Confirmation, NoInput, ReasonForm, confirm
from core.admin.decorators import action, display, page
from core.admin.once import shown_once
from core.cells import EMPTY, admin_link, ago, amount, cash_text, dotted, plain, public_link

__all__ = [
    "EMPTY",
    "Choice",
    "Confirmation",
    "LumosModelAdmin",
    "NoInput",
    "OfTenant",
    "Question",
    "ReadOnlyAdmin",
    "ReasonForm",
    "action",
    "admin_link",
    "ago",
    "amount",
    "cash_text",
    "confirm",
    "display",
    "dotted",
    "page",
    "plain",
    "public_link",
    "shown_once",
    "tell",
]
