"""Commands that call a service, over the Python client. They import it when they run, so that
`--help` and completion are quick."""
