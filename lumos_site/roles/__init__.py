"""What the supervisor's Python children do. One module per role; its import is what takes long, `main` serves.

`zygote` imports and forks the others. What a child is given as an open descriptor is named in its environment.
"""

from collections.abc import Mapping

LISTEN_FD = "LUMOS_LISTEN_FD"
REPORT_FD = "LUMOS_REPORT_FD"
CONTROL_FD = "LUMOS_CONTROL_FD"
BEHIND, UNLIMITED = 3, 4
"""Exit codes of `check`: a schema lacks migrations, a limit does not limit."""

MODULES: Mapping[str, str] = {
    "web": "lumos_site.roles.web",
    "gateway": "lumos_site.roles.web",
    "control": "lumos_site.roles.web",
    "worker": "lumos_site.roles.worker",
    "beat": "lumos_site.roles.beat",
    "agent": "scaling.backends.local.__main__",
    "prepare": "lumos_site.roles.prepare",
    "check": "lumos_site.roles.check",
}
