"""The smoothed speed of a run, and how long it will still take."""

from __future__ import annotations

SMOOTHING = 0.9


class Pace:
    """Exponentially smoothed seconds per step."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._seconds: float | None = None

    def step(self, seconds: float) -> None:
        """Note the seconds that a step took."""
        old = self._seconds
        self._seconds = seconds if old is None else SMOOTHING * old + (1 - SMOOTHING) * seconds

    @property
    def images_per_second(self) -> float | None:
        """Images per second, where an image has two views; None before the first step."""
        return self._batch_size / self._seconds if self._seconds else None

    def eta_seconds(self, steps_left: int) -> float | None:
        """Seconds until the last step at this pace, without sampling rounds and probes."""
        return None if self._seconds is None else steps_left * self._seconds
