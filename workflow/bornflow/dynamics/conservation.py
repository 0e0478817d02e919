"""How well runs without a thermostat conserve energy: drift and fluctuation per atom.

python -m bornflow.dynamics.conservation --runs a.h5 b.h5 --models model-1 model-2 --out conservation.csv
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.stats
from jaxtyping import Float

from ..cli import command
from ..errors import BornflowError
from ..io.files import atomic_write
from .series import read_run

FORCES = {False: "gradient", True: "fixed charges"}  # by `fixed_charges` of a run
DRIFT, DRIFT_ERROR = "drift [meV/atom/100 ps]", "drift_error [meV/atom/100 ps]"
BLOCKS = 20  # whose means the drift is fitted to, so that fast oscillations do not count as evidence


def block_means(series: Float[np.ndarray, " steps"]) -> Float[np.ndarray, " blocks"]:
    """Means of BLOCKS parts of equal length; what is left at the end does not count."""
    return series[: len(series) // BLOCKS * BLOCKS].reshape(BLOCKS, -1).mean(axis=1)


def drift(energies: Float[np.ndarray, " steps"], timestep: float) -> tuple[float, float, float]:
    """Slope of a line through the means of blocks and its standard error, per 100 ps; and what is left.

    `energies` at every step, `timestep` in fs. The last value is the standard deviation from the line.
    """
    if len(energies) < 10 * BLOCKS:
        raise BornflowError(f"{len(energies)} steps are too few for a drift; {10 * BLOCKS} are needed")
    energies = energies[: len(energies) // BLOCKS * BLOCKS]
    times = np.arange(len(energies)) * timestep / 1e5  # 100 ps
    line = scipy.stats.linregress(block_means(times), block_means(energies))
    rest = energies - line.slope * times
    return float(line.slope), float(line.stderr), float(rest.std())


def tabulate(paths: Sequence[Path], models: Sequence[str]) -> pd.DataFrame:
    """A row for each model, kind of forces and precision, with means over its runs.

    The error of the drift is that of the mean over runs, which hold slow wandering too; of one run alone it
    is that of its line. BornflowError for a run with a thermostat.
    """
    rows = []
    for path, model in zip(paths, models, strict=True):
        attributes, series = read_run(path, "conserved_energy", "temperature", "numbers")
        if attributes["thermostat"] != "nve":
            raise BornflowError(
                f"{path} had a thermostat ({attributes['thermostat']}); runs of nve are expected"
            )
        atoms, timestep = len(series["numbers"]), float(attributes["timestep [fs]"])
        slope, error, fluctuation = drift(1e3 * series["conserved_energy"] / atoms, timestep)
        rows.append(
            {
                "model": model,
                "forces": FORCES[bool(attributes["fixed_charges"])],
                "precision": attributes["precision"],
                "atoms": atoms,
                "timestep [fs]": timestep,
                "length [ps]": len(series["conserved_energy"]) * timestep / 1e3,
                "runs": 1,
                "temperature [K]": series["temperature"].mean(),
                DRIFT: slope,
                DRIFT_ERROR: error,
                "fluctuation [meV/atom]": fluctuation,
            }
        )
    table = pd.DataFrame(rows)
    kinds = table.groupby(list(table.columns[:6]), sort=False)
    found = kinds.mean().assign(runs=kinds.size())
    several = found["runs"] > 1
    found.loc[several, DRIFT_ERROR] = kinds[DRIFT].sem()[several]
    return found.reset_index()


@command
def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--runs", nargs="+", required=True, type=Path)
    parser.add_argument("--models", nargs="+", required=True, help="the model of each run")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    if len(args.runs) != len(args.models):
        raise BornflowError(f"{len(args.runs)} runs for {len(args.models)} models")
    table = tabulate(args.runs, args.models)
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
