"""Types of command-line arguments, each with its bounds, for `ArgumentParser.add_argument(type=…)`.

A value out of bounds ends in argparse's own error: the option, the value found and what is expected.
"""

import argparse
import math
import re
from collections.abc import Callable


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number from `least` to `most`."""

    def read(text: str) -> int:
        if re.fullmatch(r"[+-]?[0-9]{1,18}", text) and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(
            f"{_cut(text)} found, a whole number from {least} to {most} expected"
        )

    return read


def positive(most: float) -> Callable[[str], float]:
    """A number above 0, up to `most`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if 0 < value <= most:
            return value
        raise argparse.ArgumentTypeError(f"{_cut(text)} found, a number above 0 up to {most:g} expected")

    return read


count = whole(1, 10_000_000)  # of structures
index = whole(0, 1_000_000_000)  # of a frame or a batch, from 0
seed = whole(0, 2**32 - 1)  # what numpy and HDF5 hold
threads = whole(1, 1024)
duration = positive(100_000)  # s


def _cut(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
