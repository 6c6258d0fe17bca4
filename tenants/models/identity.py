"""The primary key that the tables of this app share."""

from __future__ import annotations

from django.db import models

from core.ids import new_ulid


def id_field() -> models.CharField[str, str]:
    """A ULID, made in Python, so that a row knows its id before it is stored."""
    return models.CharField(primary_key=True, max_length=26, default=new_ulid, editable=False)
