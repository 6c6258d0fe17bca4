"""A Celery application that cannot be imported, for workers that die at their start."""

raise RuntimeError("this application is broken on purpose")
