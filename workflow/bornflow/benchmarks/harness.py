"""Timing of models in interleaved rounds, each measurement in a separate process.

Separate processes give each measurement its own compilation and peak memory. With interleaved rounds, a
temporarily slow machine affects all models. The first round compiles; the second reads the compiled functions
from disk.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .. import cli, config
from ..errors import BornflowError
from ..io.files import atomic_write
from ..progress import track
from .peers import PEERS

REFERENCE = "lorem-jax"  # the peer whose time is compared with those of all others

OPTIONS: Mapping[str, dict[str, Any]] = {
    "models": cli.option("keys of the configuration's models", [], nargs="+"),
    "peers": cli.option("models of other packages", [], nargs="*", choices=PEERS),
    "seconds": cli.option("time of each measurement [s]", 5, type=cli.duration),
    "one": cli.option("measure only this model, in the first of the cases, and print the result", None),
    "out": cli.option("CSV file to write", None),
}


def check_arguments(args: argparse.Namespace) -> None:
    """Raise BornflowError for a missing option, or for a model that the configuration does not have."""
    if not args.models and not args.peers:
        raise BornflowError(
            "--models is missing: give the models to time, by their keys in the configuration, or --peers"
        )
    for name in args.peers:
        if not PEERS[name].is_installed:
            raise BornflowError(f"--peers: {name} is not installed; `{PEERS[name].installed_by}` installs it")
    if args.out is None:
        raise BornflowError("--out is missing: give the CSV file to write")
    for name in args.models:
        config.load_variant(args.config, name)


def measure_steps(step: Callable[[], None], seconds: float) -> dict[str, float]:
    """Median time of a step [ms] without the first one, and that of the first step [s].

    Steps are repeated for `seconds`, and at least five times unless that takes over a minute.
    """
    times: list[float] = []

    def timed() -> float:
        started = time.perf_counter()
        step()
        return time.perf_counter() - started

    first = timed()
    while sum(times) < seconds or (len(times) < 5 and sum(times) < 60):
        times.append(timed())
    return {"step [ms]": 1e3 * float(np.median(times)), "first_step [s]": first, "steps": len(times)}


def measure_all(
    module: str, case: str, jobs: Sequence[tuple[str, object]], config_path: str | None, seconds: float
) -> pd.DataFrame:
    """A table with one row for each of `jobs`, pairs of a model and a value of the option `case`.

    `python -m MODULE --one MODEL --CASE VALUE` measures one job and prints the result as JSON. The faster
    measurement of two rounds is reported. `first_step` is from the first round, where it compiles;
    `first_step_cached` is from the second, where it reads the compiled functions. `times_as_fast` compares
    with REFERENCE. Raises BornflowError if a measurement fails.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": folder}
        for model, value in track([*jobs] * 2, "timing", 2 * len(jobs), "measurements"):
            call = [sys.executable, "-m", module, "--one", model, f"--{case}", str(value)]
            call += ["--seconds", str(seconds), *(["--config", config_path] if config_path else [])]
            result = subprocess.run(
                call, capture_output=True, encoding="utf-8", errors="replace", env=environment
            )
            if result.returncode != 0:
                reason = result.stderr.strip()[-500:]
                raise BornflowError(f"timing of {model} at {case} {value} failed: {reason}")
            rows.append({"model": model, case: value, **json.loads(result.stdout.splitlines()[-1])})
    measured = pd.DataFrame(rows)
    rounds = measured.groupby([case, "model"], sort=False)
    cached = rounds["first_step [s]"].last().rename("first_step_cached [s]")
    table = measured.sort_values("step [ms]").groupby([case, "model"]).first()
    table = table.assign(**{"first_step [s]": rounds["first_step [s]"].first()}).join(cached).reset_index()
    reference = table[table["model"] == REFERENCE].set_index(case)["step [ms]"]
    table["times_as_fast"] = table[case].map(reference) / table["step [ms]"]
    return table


def write_table(module: str, case: str, jobs: Sequence[tuple[str, object]], args: argparse.Namespace) -> None:
    """Measure all jobs, print the table and write it to `args.out`."""
    table = measure_all(module, case, jobs, args.config, args.seconds)
    print(table.to_string(index=False))
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.4g")
