"""What a role that answers no HTTP serves, so that system checks do not load the pages of the others."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
