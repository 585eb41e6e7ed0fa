from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from colt_core.data import DataError
from store.settings import get_settings
from worker.sources import allowed_path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """One of two allowed roots; the other one is not mounted at the moment."""
    root = tmp_path / "data"
    (root / "inside").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    monkeypatch.setenv("COLT_DATA_ROOTS", os.pathsep.join([str(tmp_path / "absent"), str(root)]))
    get_settings.cache_clear()
    yield root
    get_settings.cache_clear()


def test_a_path_under_a_root_is_allowed(root: Path) -> None:
    assert allowed_path(str(root / "inside")) == (root / "inside", root)


def test_a_link_that_stays_inside_is_followed(root: Path) -> None:
    (root / "link").symlink_to(root / "inside")
    assert allowed_path(str(root / "link")) == (root / "inside", root)


@pytest.mark.parametrize("escape", ["../outside", "link", "missing", "inside/../../outside", "nul\0byte"])
def test_what_leads_outside_is_refused_without_telling_where(root: Path, escape: str) -> None:
    (root / "link").symlink_to(root.parent / "outside")
    with pytest.raises(DataError) as caught:
        allowed_path(f"{root}/{escape}")
    assert str(root) not in str(caught.value)


def test_a_link_turned_after_submission_is_refused(root: Path) -> None:
    link = root / "link"
    link.symlink_to(root / "inside")
    allowed_path(str(link))
    link.unlink()
    link.symlink_to(root.parent / "outside")
    with pytest.raises(DataError):
        allowed_path(str(link))
