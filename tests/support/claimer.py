"""`python -m tests.support.claimer URL WORKER`: claim data sets until none waits, and print their
ids."""

from __future__ import annotations

import sys

from store.database import build_engine, writing
from store.leases import claim
from store.models import Dataset


def main(url: str, worker_id: str) -> None:
    engine = build_engine(url)
    while True:
        with writing(engine) as session:
            lease = claim(session, Dataset, worker_id, 60)
        if lease is None:
            return
        print(lease.id, lease.token)


if __name__ == "__main__":
    main(*sys.argv[1:])
