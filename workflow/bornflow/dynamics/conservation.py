"""Energy conservation of runs without a thermostat: drift and fluctuation per atom.

python -m bornflow.dynamics.conservation --runs a.h5 b.h5 --models model-1 model-2 --out conservation.csv
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.stats
from jaxtyping import Float

from .. import cli
from ..errors import BornflowError
from ..io.files import atomic_write
from .series import read_run

FORCES = {False: "gradient", True: "fixed charges"}  # by the attribute `fixed_charges` of a run
DRIFT, DRIFT_ERROR = "drift [meV/atom/100 ps]", "drift_error [meV/atom/100 ps]"
BLOCKS = 20  # the drift is fitted to their means; fast oscillations would make its error too small


def block_means(series: Float[np.ndarray, " steps"]) -> Float[np.ndarray, " blocks"]:
    """Means of BLOCKS blocks of equal length; the steps that remain at the end are left out."""
    return series[: len(series) // BLOCKS * BLOCKS].reshape(BLOCKS, -1).mean(axis=1)


def drift(energies: Float[np.ndarray, " steps"], timestep: float) -> tuple[float, float, float]:
    """Slope of a line through the means of blocks, its standard error, and the fluctuation about the line.

    `energies` at every step, `timestep` in fs. Slope and error are per 100 ps; the fluctuation is a standard
    deviation. Raises BornflowError for a series that is too short.
    """
    if len(energies) < 10 * BLOCKS:
        raise BornflowError(f"{len(energies)} steps are too few for a drift; {10 * BLOCKS} are needed")
    energies = energies[: len(energies) // BLOCKS * BLOCKS]
    times = np.arange(len(energies)) * timestep / 1e5  # 100 ps
    line = scipy.stats.linregress(block_means(times), block_means(energies))
    residuals = energies - line.slope * times
    return float(line.slope), float(line.stderr), float(residuals.std())


def tabulate(paths: Sequence[Path], models: Sequence[str]) -> pd.DataFrame:
    """A row for each model, kind of forces and precision, with means over its runs.

    With several runs the error of the drift is the standard error of their mean, which includes slow
    fluctuations; with one run it is that of the fitted line. Raises BornflowError for a run with a
    thermostat.
    """
    table = pd.DataFrame([_row(path, model) for path, model in zip(paths, models, strict=True)])
    groups = table.groupby(list(table.columns[:6]), sort=False)
    means = groups.mean().assign(runs=groups.size())
    several = means["runs"] > 1
    means.loc[several, DRIFT_ERROR] = groups[DRIFT].sem()[several]
    return means.reset_index()


def _row(path: Path, model: str) -> dict[str, str | int | float]:
    """One run of `model`; `tabulate` groups by the first six columns."""
    attributes, series = read_run(path, "conserved_energy", "temperature", "numbers")
    if attributes["thermostat"] != "nve":
        raise BornflowError(
            f"{path} had a thermostat ({attributes['thermostat']}), so its energy is not conserved; give "
            "runs of systems with thermostat: nve"
        )
    atoms, timestep = len(series["numbers"]), float(attributes["timestep [fs]"])
    slope, error, fluctuation = drift(1e3 * series["conserved_energy"] / atoms, timestep)
    return {
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


@cli.command
def main() -> None:
    """Write the table of energy conservation."""
    args = cli.parse(
        main,
        "runs",
        models=cli.options("name of the model of each run, in the order of --runs"),
        out=cli.option("CSV file to write"),
    )
    if len(args.runs) != len(args.models):
        raise BornflowError(
            f"{len(args.runs)} runs for {len(args.models)} models; give one model for each run"
        )
    table = tabulate(args.runs, args.models)
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
