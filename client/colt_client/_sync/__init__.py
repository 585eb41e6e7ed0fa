# Written by `make client` from the module of the same name in _async/. Change that one.
"""The client with asyncio. `_sync/` is written from it."""
