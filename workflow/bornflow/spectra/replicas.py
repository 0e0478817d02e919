"""Runs of the replicas of one system: whether they can be averaged, their temperature, and the command line.

`susceptibility` and `velocities` use this module to make their tables.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from .. import cli, config
from ..errors import BornflowError
from ..io.files import atomic_write
from .settings import SpectraSettings

SHARED_ATTRIBUTES = (
    "kind",
    "structure",
    "n_molecules",
    "volume [Å³]",
    "timestep [fs]",
    "temperature [K]",
    "thermostat",
    "thermostat_time [fs]",
    "equilibration [steps]",
    "precision",
    "electric_field [V/Å]",
    "fixed_charges",
    "model_sha256",
)


def shared_attributes(
    paths: Sequence[Path], attributes: Sequence[Mapping[str, Any]], *further: str
) -> Mapping[str, Any]:
    """The attributes of the first run; those of SHARED_ATTRIBUTES and `further` are the same in all runs.

    Raises BornflowError for a difference, and for a run that is given twice, since it would count as two
    independent ones.
    """
    first = attributes[0]
    seeds: dict[str, Path] = {}
    for path, other in zip(paths, attributes, strict=True):
        for key in (*SHARED_ATTRIBUTES, *further):
            value, expected = (str(run.get(key, "not given")) for run in (other, first))
            if value != expected:
                raise BornflowError(
                    f"{path}: {key} is {value}, {paths[0]} has {expected}: give runs of one system that "
                    "differ in their seeds only"
                )
        seed = str(other.get("seed", path))
        if seed in seeds:
            raise BornflowError(
                f"{seeds[seed]} and {path} have the same random numbers: give only one of them"
            )
        seeds[seed] = path
    return first


def mean_temperature(paths: Sequence[Path], temperatures: Sequence[Float[np.ndarray, " steps"]]) -> float:
    """The mean [K] over runs of their mean temperatures; BornflowError for a run whose atoms do not move."""
    means = [float(values.mean()) for values in temperatures]
    for path, mean in zip(paths, means, strict=True):
        if not mean > 0:
            raise BornflowError(f"{path}: the mean temperature is {mean:g} K; no spectrum can be made of it")
    return float(np.mean(means))


def write_table(
    main: Callable[[], None], make_table: Callable[[Sequence[Path], SpectraSettings], pd.DataFrame]
) -> None:
    """The command line of a program `main` that writes one table from the runs of a system's replicas."""
    args = cli.parse(main, "runs", "config", out=cli.option("CSV file to write"))
    table = make_table(args.runs, SpectraSettings(**config.load(args.config, "spectra")))
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.6g")
