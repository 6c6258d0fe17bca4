"""Operators' sign-in: as many attempts as anybody gets, and not one while they cannot be counted."""

from __future__ import annotations

import pytest
import redis as redis_library
from django.test import Client

from core import attempts
from tests import cast

pytestmark = pytest.mark.django_db


def attempt(password: str) -> int:
    """Send the form; 302 lets in, 200 shows the form again."""
    return (
        Client(headers={"host": "localhost"})
        .post("/admin/login/", {"username": "olivia", "password": password, "next": "/admin/"})
        .status_code
    )


def test_the_right_password_lets_in(olivia: cast.Operator, redis: redis_library.Redis) -> None:
    assert attempt(cast.PASSWORD) == 302


def test_after_too_many_wrong_ones_the_right_one_must_wait(olivia: cast.Operator, redis: redis_library.Redis) -> None:
    for _ in range(attempts.PER_ACCOUNT):
        assert attempt("wrong") == 200
    assert attempt(cast.PASSWORD) == 200


def test_a_success_gives_the_attempts_back(olivia: cast.Operator, redis: redis_library.Redis) -> None:
    for _ in range(2):
        for _ in range(attempts.PER_ACCOUNT - 1):
            attempt("wrong")
        assert attempt(cast.PASSWORD) == 302
