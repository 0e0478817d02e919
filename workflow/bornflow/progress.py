"""Progress of long work: steps done, rate and time left, as a bar on a terminal and as lines in a log."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")
LOG_INTERVAL = 10.0  # seconds between two lines in a log


class Meter:
    """A context manager that counts steps out of `total` and shows the progress under the name `label`.

    On a terminal rich draws a bar, elsewhere a line is logged every LOG_INTERVAL seconds. `start` is the
    number of steps done before. `speed` is a second unit of the rate, as (factor, name): (0.0432, "ns/day")
    for steps of 0.5 fs.
    """

    def __init__(
        self,
        label: str,
        total: int,
        unit: str = "it",
        start: int = 0,
        speed: tuple[float, str] | None = None,
    ):
        self.label, self.total, self.unit, self.done = label, total, unit, start
        self._first, self._begun, self._logged = start, time.monotonic(), time.monotonic()
        self._speed = speed
        self._bar = None
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn(label),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
            )

    def __enter__(self) -> "Meter":
        if self._bar:
            self._bar.start()
            self._task = self._bar.add_task("", total=self.total, completed=self.done, note="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()
        else:
            self._log("")

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count `steps` more as done; `note` is a short text to show, such as a loss or a temperature."""
        self.done += steps
        if self._bar:
            if self._speed:
                rate = (self.done - self._first) / max(time.monotonic() - self._begun, 1e-9)
                note = f"{rate * self._speed[0]:.3g} {self._speed[1]} {note}"
            self._bar.update(self._task, advance=steps, note=note)
        elif time.monotonic() - self._logged > LOG_INTERVAL:
            self._log(note)
            self._logged = time.monotonic()

    def prepare(self, note: str) -> None:
        """Report the work before the first step, such as a compilation."""
        if self._bar:
            self._bar.update(self._task, note=note)
        else:
            logger.info("%s: %s", self.label, note)

    def start_clock(self, note: str = "") -> None:
        """Count the rate and the time left from now on: what came before was preparation."""
        seconds = time.monotonic() - self._begun
        self._first, self._begun = self.done, time.monotonic()
        if self._bar:
            self._bar.reset(self._task, completed=self.done, note=note)
        else:
            logger.info(
                "%s: %d/%d %s after %.0f s, %s", self.label, self.done, self.total, self.unit, seconds, note
            )

    def _log(self, note: str) -> None:
        elapsed = max(time.monotonic() - self._begun, 1e-9)
        rate = (self.done - self._first) / elapsed
        left = f"{(self.total - self.done) / rate:.0f} s left" if rate else "time left not known"
        also = f"{rate * self._speed[0]:.3g} {self._speed[1]}, " if self._speed else ""
        line = (
            f"{self.label}: {self.done}/{self.total} {self.unit}, {rate:.3g} {self.unit}/s, {also}"
            f"{elapsed:.0f} s elapsed, {left} {note}"
        )
        logger.info(line.rstrip())


def track(items: Iterable[T], label: str, total: int, unit: str = "it") -> Iterator[T]:
    """Yield the `total` items and show the progress under the name `label`."""
    with Meter(label, total, unit) as meter:
        for item in items:
            yield item
            meter.advance()
