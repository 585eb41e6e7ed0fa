"""A query that takes minutes on either engine, and does no harm."""

from __future__ import annotations

from sqlalchemy import text

COUNTING = text(
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000000) SELECT max(n) FROM c"
)
