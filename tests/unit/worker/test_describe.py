from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from worker.describe import LONGEST, describe, last_words, without_paths


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot read /srv/colt/home/artifacts/x.npy", "cannot read x.npy"),
        ("[Errno 2] No such file: '/srv/colt/x.npy' -> '/tmp/y'", "[Errno 2] No such file: 'x.npy' -> 'y'"),
        ("in train/cat/1.png of the archive", "in train/cat/1.png of the archive"),
        ("at learning rate 3/4, and/or less", "at learning rate 3/4, and/or less"),
    ],
)
def test_server_paths_are_cut_to_their_last_part(text: str, shown: str) -> None:
    shown_text = without_paths(text)
    assert "/srv" not in shown_text and "/tmp" not in shown_text
    assert shown_text == shown


def test_an_error_is_one_bounded_line() -> None:
    assert describe(ValueError("first\nsecond")) == "ValueError: first"
    assert describe(MemoryError()) == "MemoryError"
    assert len(describe(ValueError("x" * 10_000))) == LONGEST


def test_a_database_error_tells_neither_statement_nor_values() -> None:
    error = OperationalError("INSERT INTO jobs", {"name": "private"}, Exception("at host db.internal"))
    assert describe(error) == "OperationalError: the database reported an error"


def test_the_last_words_are_no_stack() -> None:
    output = """loading
Traceback (most recent call last):
  File "/srv/colt/worker/trainer.py", line 3, in train
    raise ValueError
ValueError: /srv/colt/x.npy is bad

terminate called without an active exception
"""
    assert last_words(output, lines=2) == ["ValueError: x.npy is bad", "terminate called without an active exception"]
    assert last_words(output)[0] == "loading"
