"""The client with asyncio. `_sync/` is written from it."""
