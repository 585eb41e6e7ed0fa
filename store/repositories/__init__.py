"""SQL lives here, one module a noun: functions that take a session and answer rows or plain
values."""
