"""Statements whose planning costs more than their work: planned once a connection, and behind the same fence as all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from django.db import connection


def fetch_prepared(text: str, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The first row of a statement that is kept prepared; its text must always be the same one. Raises as cursors do.

    Values are sent beside the text, not in it, so PostgreSQL has to see their types: cast where it cannot.
    """
    with connection.cursor() as fenced, connection.wrap_database_errors, psycopg.Cursor(fenced.connection) as cursor:
        cursor.execute(text, values, prepare=True)
        return cursor.fetchone()
