"""Mail on a machine without a mail server: one readable file for each message, for the owner's eyes only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from core.ids import new_ulid


class FileBackend(BaseEmailBackend):
    """Writes to settings.MAIL_DIRECTORY (mode 700) `<time-sorted id>-<recipient>.eml`."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        directory = Path(settings.MAIL_DIRECTORY)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for message in email_messages:
            recipient = "".join(letter for letter in message.to[0] if letter.isalnum() or letter in "@.-+_")
            self._write(directory / f"{new_ulid()}-{recipient[:100]}.eml", message.message().as_bytes())
        return len(email_messages)

    @staticmethod
    def _write(file: Path, content: bytes) -> None:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
