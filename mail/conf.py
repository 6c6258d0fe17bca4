"""When the mail app's tasks run: (name, task, seconds); and how long it tries and keeps."""

from datetime import timedelta

SCHEDULE = (
    ("mail: send what waits", "mail.send_waiting", 2.0),
    ("mail: prune", "mail.prune", 3600.0),
)
MOST_ATTEMPTS = 12  # with the waits below about two days
LONGEST_WAIT = timedelta(hours=6)
CLAIM = timedelta(minutes=5)  # longer than the server may take; a process that died in between is followed after this
KEEP = timedelta(days=30)
