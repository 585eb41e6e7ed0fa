"""All SQL queries, one module per noun: functions that take a session and return rows or values."""
