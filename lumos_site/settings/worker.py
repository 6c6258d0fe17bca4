"""Celery worker and beat: base plus templates for mail and reports, minus everything that answers HTTP."""

from __future__ import annotations

from lumos_site.settings.base import *

# No pool: the workers' pool of the database driver does not survive a fork, and a worker runs few tasks at once.
