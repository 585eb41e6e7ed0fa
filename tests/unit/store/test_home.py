"""The data folder is its owner's alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from store.database import build_engine
from store.doctor.home import examine_home
from store.home import make_home


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_data_folder_is_closed_to_others(tmp_path: Path) -> None:
    make_home(tmp_path / "a" / "home")
    assert mode(tmp_path / "a" / "home") == 0o700
    build_engine(f"sqlite:///{tmp_path}/b/colt.db").dispose()
    assert mode(tmp_path / "b") == 0o700


@pytest.mark.parametrize("rights", [0o755, 0o770, 0o701])
def test_the_doctor_closes_one_that_is_open(tmp_path: Path, rights: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(rights)
    make_home(home)
    assert mode(home) == rights, "an operator may have chosen it"
    (finding,) = examine_home(home)
    assert f"{rights:04o}" in finding.what and str(home) in finding.what
    assert finding.mend is not None
    finding.mend()
    assert mode(home) == 0o700
    assert list(examine_home(home)) == []


def test_a_closed_or_missing_one_is_nothing_to_report(tmp_path: Path) -> None:
    assert list(examine_home(tmp_path / "nowhere")) == []
    make_home(tmp_path / "home")
    assert list(examine_home(tmp_path / "home")) == []
