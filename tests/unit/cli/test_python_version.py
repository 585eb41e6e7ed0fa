"""`colt up` says when its Python lacks security patches."""

from __future__ import annotations

from cli.python_version import AS_OF, LATEST, outdated


def test_an_old_release_is_named_with_the_one_to_install() -> None:
    for (major, minor), micro in LATEST.items():
        warning = outdated(major, minor, micro - 1)
        assert warning is not None
        assert f"Python {major}.{minor}.{micro - 1}. " in warning and f"{major}.{minor}.{micro} has 1 more" in warning
        assert AS_OF.isoformat() in warning


def test_the_latest_a_later_and_an_unknown_one_are_not_warned_of() -> None:
    for (major, minor), micro in LATEST.items():
        assert outdated(major, minor, micro) is None
        assert outdated(major, minor, micro + 1) is None
    assert outdated(3, 99, 0) is None
