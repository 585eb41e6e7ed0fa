"""The measurement by which a worker decides whether jobs run side by side."""

from __future__ import annotations

import pytest

from worker import calibration


def test_it_measures_steps_of_real_processes(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "worker"):
        found = calibration.gain(2, 1, 2, seconds=0.2)
    assert found > 0 and found != 1.0, "beside other programs it may be any number"
    assert caplog.messages == [f"2 jobs at once on 1 threads each: {found:.2f} times as quick as one on 2"]


def test_without_a_measurement_nothing_is_gained(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(calibration, "PATIENCE_SECONDS", -1.0)
    assert calibration.gain(2, 1, 2, seconds=0.2) == 1.0
    assert "could not be measured" in caplog.text
