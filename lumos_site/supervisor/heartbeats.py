"""Where a heartbeat is kept; shared by those who write it and the supervisor, which reads it without a client."""

EVERY_SECONDS = 2.0
LIFETIME_SECONDS = 30


def heartbeat_parts(role: str, pid: int) -> tuple[str, ...]:
    """Parts of the key below the installation's namespace; the content is JSON with `pid`, `started` (see
    core.processes.started_at) and `at` (epoch seconds)."""
    return ("heartbeat", role, str(pid))
