"""What the supervisor's Python children execute: load everything, wait at the gate, serve. One module per role."""

LISTEN_FD = "LUMOS_LISTEN_FD"
REPORT_FD = "LUMOS_REPORT_FD"
