"""Which tests one process runs in a row, when pytest-xdist has them run side by side."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.support.stack import STACKS


class FilesAndServices(LoadFileScheduling):
    """A file's tests stay together; and tests of faults that share a service do, which takes a
    minute to start."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        if file.startswith("tests/faults/"):
            service = file if file.endswith("/test_random_kills.py") else "tests/faults"  # that one has its own
            return next((f"{service}[{kind}]" for kind in STACKS if kind in test), file)
        return file


# The longest rows come first, so that all processes end at about the same time.
LONG = ("tests/faults/", "tests/e2e/", "tests/integration/")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((number for number, folder in enumerate(LONG) if item.nodeid.startswith(folder)), len(LONG))

    items.sort(key=place)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesAndServices:
    return FilesAndServices(config, log)
