"""Mail on its way: written with what caused it, sent after it, tried again, forgotten; secrets only while they must."""

from __future__ import annotations

import email
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core import mail as django_mail
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from core.clock import utc_now
from lumos_site.settings.env import smtp_from_url
from mail.api import Letter, prune_mail, queue_mail, send_waiting
from mail.conf import CLAIM, KEEP, MOST_ATTEMPTS
from mail.models import OutgoingMail
from mail.tasks import prune
from mail.tasks import send_waiting as send_waiting_task

pytestmark = pytest.mark.django_db
NOW = utc_now()
LINK = "https://acme.example/join/very-secret-token/"


def letter(language: str = "en", to: str = "zoe@acme.example") -> Letter:
    context = {"tenant": "Acme <&>", "invited_by": "amy", "role": "Viewer", "link": LINK, "expires_at": NOW}
    return Letter("invitation", to, language, context, tenant_id="")


def test_a_letter_is_sent_once_and_its_words_are_forgotten() -> None:
    mail = queue_mail(letter(), now=NOW)
    assert LINK not in json.dumps(OutgoingMail.objects.values().get(), default=str)
    assert (send_waiting(now=NOW), send_waiting(now=NOW)) == (1, 0)
    [sent] = django_mail.outbox
    assert sent.to == ["zoe@acme.example"]
    assert sent.subject == "amy invites you to Acme <&>"
    assert LINK in sent.body
    assert "Acme &lt;&amp;&gt;" in sent.alternatives[0][0]
    assert sent.extra_headers["Message-ID"] == f"<{mail.id}@localhost>"
    mail.refresh_from_db()
    assert (mail.sealed, mail.sent_at, mail.due_at) == ("", NOW, None)


def test_a_letter_of_what_was_undone_is_never_sent() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        queue_mail(letter(), now=NOW)
        raise RuntimeError
    assert send_waiting(now=NOW) == 0


@pytest.mark.parametrize(("language", "word"), [("zh-hans", "邀请"), ("zh-hant", "邀請"), ("en", "invites")])
def test_a_letter_speaks_its_readers_language(language: str, word: str) -> None:
    queue_mail(letter(language), now=NOW)
    send_waiting(now=NOW)
    [sent] = django_mail.outbox
    assert word in sent.subject
    assert word in sent.body
    assert f'lang="{language}"' in sent.alternatives[0][0]


def test_a_subject_cannot_smuggle_headers() -> None:
    bad = Letter("invitation", "z@acme.example", "en", {**letter().context, "tenant": "x\r\nBcc: all@example.com"})
    queue_mail(bad, now=NOW)
    send_waiting(now=NOW)
    assert django_mail.outbox[0].recipients() == ["z@acme.example"]
    assert "\n" not in django_mail.outbox[0].subject


def test_the_tasks_send_and_prune() -> None:
    queue_mail(letter(), now=utc_now())
    assert send_waiting_task() == 1
    OutgoingMail.objects.update(created_at=NOW - KEEP - timedelta(hours=1))
    assert prune() == 1
    assert prune_mail(now=NOW) == 0


class SmtpServer:
    """Speaks enough SMTP on a real socket; refuses recipients while `refuses`."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.refuses = False
        self.messages: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as wire:
                self._speak(wire)

    def _speak(self, wire) -> None:
        def say(text: str) -> None:
            wire.write(text.encode() + b"\r\n")
            wire.flush()

        say("220 test")
        while line := wire.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb == "DATA":
                say("354 go on")
                lines = []
                while (part := wire.readline()) != b".\r\n":
                    lines.append(part.decode())
                self.messages.append("".join(lines))
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("450 later" if verb == "RCPT" and self.refuses else "250 ok")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def server(settings) -> Iterator[SmtpServer]:
    started = SmtpServer()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    for name, value in smtp_from_url(f"smtp://127.0.0.1:{started.port}?tls=0").items():
        setattr(settings, name, value)
    yield started
    started.close()


def test_a_server_that_refuses_is_asked_again_later_and_at_last(server: SmtpServer) -> None:
    server.refuses = True
    mail = queue_mail(letter(), now=NOW)
    assert send_waiting(now=NOW) == 0
    mail.refresh_from_db()
    assert mail.last_error.startswith("SMTPRecipientsRefused")
    assert mail.due_at == NOW + timedelta(seconds=30)
    server.refuses = False
    assert send_waiting(now=NOW + timedelta(seconds=29)) == 0
    assert send_waiting(now=NOW + timedelta(seconds=31)) == 1
    received = email.message_from_string(server.messages[0])
    assert received["Message-ID"] == f"<{mail.id}@localhost>"
    assert received["To"] == "zoe@acme.example"


def test_a_letter_that_cannot_be_sent_is_given_up_and_forgotten(server: SmtpServer) -> None:
    server.refuses = True
    mail, moment = queue_mail(letter(), now=NOW), NOW
    for _ in range(MOST_ATTEMPTS):
        assert send_waiting(now=moment) == 0
        moment += timedelta(days=1)
    mail.refresh_from_db()
    assert (mail.due_at, mail.sealed, mail.sent_at, mail.attempts) == (None, "", None, MOST_ATTEMPTS)


def test_a_claimed_letter_is_left_to_its_process_until_that_must_be_dead(server: SmtpServer) -> None:
    queue_mail(letter(), now=NOW)
    OutgoingMail.objects.update(due_at=NOW + CLAIM, attempts=1)
    assert send_waiting(now=NOW) == 0
    assert send_waiting(now=NOW + CLAIM) == 1


def test_without_a_server_letters_are_files_that_only_their_owner_reads(settings, tmp_path: Path) -> None:
    settings.EMAIL_BACKEND = "mail.backends.FileBackend"
    settings.MAIL_DIRECTORY = tmp_path / "mail"
    queue_mail(letter(to="../zoe@acme.example"), now=NOW)
    assert send_waiting(now=NOW) == 1
    [file] = (tmp_path / "mail").iterdir()
    assert file.name.endswith("-..zoe@acme.example.eml")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert "very-secret-token" in file.read_text()


@pytest.mark.parametrize(
    ("url", "port", "ssl", "tls"),
    [
        ("smtp://me:s%40crt@mail.example", 587, False, True),
        ("smtps://mail.example", 465, True, False),
        ("smtp://mail.example:25?tls=0", 25, False, False),
    ],
)
def test_a_mail_server_is_named_by_one_url(url: str, port: int, ssl: bool, tls: bool) -> None:
    read = smtp_from_url(url)
    assert (read["EMAIL_PORT"], read["EMAIL_USE_SSL"], read["EMAIL_USE_TLS"]) == (port, ssl, tls)
    assert read["EMAIL_HOST"] == "mail.example"


@pytest.mark.parametrize("url", ["mail.example", "http://mail.example", "smtp://", "smtp://h?tls=maybe"])
def test_a_url_that_is_not_understood_stops_the_start(url: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        smtp_from_url(url)


def test_the_workers_settings_know_the_server(tmp_path: Path) -> None:
    program = "from lumos_site.settings import worker; print(worker.EMAIL_BACKEND, worker.EMAIL_HOST_PASSWORD)"
    environment = {**os.environ, "LUMOS_SMTP_URL": "smtp://me:s%40crt@mail.example", "LUMOS_VAR": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "django.core.mail.backends.smtp.EmailBackend s@crt"
