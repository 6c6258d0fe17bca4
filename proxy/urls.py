"""REST routes of the catalogue, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from proxy import views

urlpatterns = [
    path("models", views.ModelList.as_view()),
    path("providers", views.ProviderList.as_view()),
]
