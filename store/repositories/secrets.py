"""Secrets that clients present: 256 random bits, of which only the sha256 is stored."""

from __future__ import annotations

import hashlib
import secrets


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    # A plain hash is enough: 256 random bits cannot be guessed from a dictionary.
    return hashlib.sha256(secret.encode()).hexdigest()
