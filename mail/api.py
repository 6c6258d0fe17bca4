"""The mail app's front door."""

from mail.conf import SCHEDULE
from mail.data import Letter
from mail.services import forget_letters, prune_mail, queue_mail, send_waiting

__all__ = ["SCHEDULE", "Letter", "forget_letters", "prune_mail", "queue_mail", "send_waiting"]
