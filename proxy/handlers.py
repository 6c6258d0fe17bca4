"""Hears of changes elsewhere and publishes them; owns which event makes which record stale."""
