"""Reasons not to start, or to give a start up; each is one sentence that says what to do."""


class StartRefused(Exception):
    """Nothing was started. The message is for the person at the terminal."""


class StartFailed(Exception):
    """Something was started and did not become ready; all of it has to be stopped again."""
