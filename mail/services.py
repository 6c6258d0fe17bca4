"""Queueing, sending and forgetting mail; owns at-least-once delivery and that no secret stays behind.

Nothing is locked while a mail server is spoken with: a process claims a message by moving its next attempt, speaks,
and writes down what came of it. One that dies in between leaves a message that is tried again, under the same
Message-ID, so that a reader's program can see that it is the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction

from core.crypto import seal, unseal
from core.errors import LumosError
from core.master_keys import is_sealed
from mail.conf import CLAIM, KEEP, LONGEST_WAIT, MOST_ATTEMPTS
from mail.data import Letter
from mail.models import OutgoingMail
from mail.rendering import Words, words_of

log = structlog.get_logger(__name__)


def queue_mail(letter: Letter, *, now: datetime) -> OutgoingMail:
    """Write the letter down in the caller's transaction; a worker sends it after that is committed."""
    mail = OutgoingMail(
        tenant_id=letter.tenant_id,
        kind=letter.kind,
        to=letter.to,
        language=letter.language,
        created_at=now,
        due_at=now,
    )
    mail.sealed = seal(json.dumps(asdict(words_of(letter))), context=_context(mail))
    mail.save(force_insert=True)
    return mail


def send_waiting(*, now: datetime, limit: int = 20) -> int:
    """Send what is due, oldest first; returns how many were sent. Safe to run in parallel."""
    sent = 0
    if is_sealed():
        return 0  # what cannot be read now is not a failed attempt
    for _number in range(limit):
        mail = _claim_next(now)
        if mail is None:
            break
        sent += _try(mail, now)
    return sent


@transaction.atomic
def _claim_next(now: datetime) -> OutgoingMail | None:
    waiting = OutgoingMail.objects.select_for_update(skip_locked=True).filter(due_at__lte=now).order_by("due_at", "id")
    mail = waiting.first()
    if mail is not None:
        mail.due_at, mail.attempts = now + CLAIM, mail.attempts + 1
        mail.save(update_fields=["due_at", "attempts"])
    return mail


def _try(mail: OutgoingMail, now: datetime) -> int:
    try:
        _message(mail).send()
    except (SMTPException, OSError, LumosError, ValueError) as error:
        _put_off(mail, error, now)
        return 0
    mail.sent_at, mail.due_at, mail.sealed, mail.last_error = now, None, "", ""
    mail.save(update_fields=["sent_at", "due_at", "sealed", "last_error"])
    return 1


def _message(mail: OutgoingMail) -> EmailMultiAlternatives:
    words = Words(**json.loads(unseal(mail.sealed, context=_context(mail))))
    headers = {"Message-ID": f"<{mail.id}@{settings.BASE_DOMAIN}>", "Auto-Submitted": "auto-generated"}
    message = EmailMultiAlternatives(words.subject, words.text, to=[mail.to], headers=headers)
    message.attach_alternative(words.html, "text/html")
    return message


def _put_off(mail: OutgoingMail, error: Exception, now: datetime) -> None:
    """Later, twice as late each time; given up in the end, and forgotten then too."""
    given_up = mail.attempts >= MOST_ATTEMPTS
    wait = min(timedelta(seconds=30) * 2 ** (mail.attempts - 1), LONGEST_WAIT)
    mail.due_at = None if given_up else now + wait
    mail.sealed = "" if given_up else mail.sealed
    mail.last_error = f"{type(error).__name__}: {error}"[:300]
    mail.save(update_fields=["due_at", "sealed", "last_error"])
    log.warning("mail.send.failed", mail=mail.id, attempts=mail.attempts, given_up=given_up, error=type(error).__name__)


def prune_mail(*, now: datetime) -> int:
    """Delete what was sent or given up long ago; returns how many."""
    deleted, _ = OutgoingMail.objects.filter(due_at=None, created_at__lt=now - KEEP).delete()
    return deleted


def forget_letters(addresses: Iterable[str]) -> int:
    """Delete what is or was on its way to them for no tenant, as from the operators' site; a tenant's go with it."""
    deleted, _ = OutgoingMail.objects.filter(tenant_id="", to__in=set(addresses)).delete()
    return deleted


def _context(mail: OutgoingMail) -> str:
    return f"mail.outgoing:{mail.id}"
