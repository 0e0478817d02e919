"""Programs that are timed in turns, each measurement in a process of its own.

So compilation and peak memory are a measurement's own, and what slows the machine for a while slows all.
In the first round nothing is compiled yet, in the second what is compiled lies on the disk.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from ..cli import duration
from ..errors import BornflowError
from ..io.files import atomic_write
from ..progress import track

PEER = "lorem-jax"  # LoremBEC of the Python package lorem-jax


def has_peer() -> bool:
    """Whether lorem-jax is installed, as `make bench` does."""
    return importlib.util.find_spec("lorem") is not None


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The options that all modules which time models have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--models", nargs="+", default=[], help="keys of the configuration's models")
    parser.add_argument("--config", help="a configuration, whose models are timed")
    parser.add_argument("--seconds", type=duration, default=5, help="time of each measurement")
    parser.add_argument("--one", help="measure this model only, with the first of the cases, and print it")
    parser.add_argument("--out")
    return parser


def repeat(step: Callable[[], None], seconds: float) -> dict[str, float]:
    """Median time of a step [ms], after the first [s]; five at least, unless they take over a minute."""
    times: list[float] = []

    def timed() -> float:
        started = time.perf_counter()
        step()
        return time.perf_counter() - started

    first = timed()
    while sum(times) < seconds or (len(times) < 5 and sum(times) < 60):
        times.append(timed())
    return {"step [ms]": 1e3 * float(np.median(times)), "first_step [s]": first, "steps": len(times)}


def compare(
    module: str, by: str, jobs: Sequence[tuple[str, object]], config: str | None, seconds: float
) -> pd.DataFrame:
    """One row for each of `jobs` (model, value of `by`), the faster of two measurements.

    `python -m MODULE --one MODEL --BY VALUE` prints one as JSON. `first_step` of the first round compiles,
    that of the second, `first_step_cached`, reads what was compiled. `times_as_fast` is against PEER.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        surroundings = os.environ | {"JAX_COMPILATION_CACHE_DIR": folder}
        for model, value in track([*jobs] * 2, "timing", 2 * len(jobs), "measurements"):
            call = [sys.executable, "-m", module, "--one", model, f"--{by}", str(value)]
            call += ["--seconds", str(seconds), *(["--config", config] if config else [])]
            result = subprocess.run(
                call, capture_output=True, encoding="utf-8", errors="replace", env=surroundings
            )
            if result.returncode != 0:
                said = result.stderr.strip()[-500:]
                raise BornflowError(f"timing of {model} at {by} {value} failed: {said}")
            rows.append({"model": model, by: value, **json.loads(result.stdout.splitlines()[-1])})
    measured = pd.DataFrame(rows)
    each = measured.groupby([by, "model"], sort=False)
    cached = each["first_step [s]"].last().rename("first_step_cached [s]")
    table = measured.sort_values("step [ms]").groupby([by, "model"]).first()
    table = table.assign(**{"first_step [s]": each["first_step [s]"].first()}).join(cached).reset_index()
    reference = table[table["model"] == PEER].set_index(by)["step [ms]"]
    table["times_as_fast"] = table[by].map(reference) / table["step [ms]"]
    return table


def record(module: str, by: str, jobs: Sequence[tuple[str, object]], args: argparse.Namespace) -> None:
    """Compare, print the table and write it to `args.out`."""
    table = compare(module, by, jobs, args.config, args.seconds)
    print(table.to_string(index=False))
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.4g")
