"""Whether a field moves the dipole as fluctuations without a field say: linear response in the time domain.

    python -m bornflow.spectra.response --checkpoint DIR --run run.h5 --spectrum chi.csv \\
        --config cfg.yaml --out response.csv

From frames of an equilibrium run, each with its velocities, pairs of runs start in fields +E and −E that are
switched on at t = 0. By linear response
    ⟨M(t) − M(0)⟩_E = (E / 2 k_B T) ⟨(M(t) − M(0))²⟩₀,
where the left side takes the forces in a field (eq. 12), the right the current without (eq. 15). The table
of `spectra.susceptibility` says the same of a periodic system, in the frequency domain:
    ⟨M(t) − M(0)⟩_E = ε₀ Ω E (2/π) ∫₀^∞ dω χ''(ω) (1 − cos ωt) / ω.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet
from jaxtyping import Float

from .. import config, constraints
from ..cli import command
from ..dynamics.export import frames_of
from ..dynamics.series import read_run
from ..dynamics.start import hold_centre
from ..errors import BornflowError
from ..inference.calculator import BornflowCalculator
from ..io.files import atomic_write
from ..io.frames import name
from ..progress import track
from ..units import BOLTZMANN, COULOMB, WAVENUMBER
from . import tables
from .susceptibility import CHI_COLUMN, WAVENUMBER_COLUMN, mean_temperature

BLOCKS = 5  # of the equilibrium run, whose spread gives the error of what it predicts


def measured(
    starts: list[Atoms], calculator: BornflowCalculator, field: float, timestep: float, steps: int
) -> Float[np.ndarray, "starts steps"]:
    """Half the difference of M(t) − M(0) along the field [e Å] in fields of ±`field` [V/Å], for each start.

    The field's direction goes through x, y, z from start to start; `timestep` in fs, no thermostat.
    """
    found = np.zeros((len(starts), steps + 1))
    for start in starts:
        constraints.reject(start, name(start), "a run in a field")
    for number, start in track(list(enumerate(starts)), "response", len(starts), "pairs"):
        for sign in (1, -1):
            calculator.reset_path()
            calculator.renew_neighbours()
            calculator.electric_field = sign * field * np.eye(3)[number % 3]
            atoms = start.copy()
            atoms.calc = calculator
            hold_centre(atoms)
            dynamics = VelocityVerlet(atoms, timestep * units.fs)
            atoms.get_potential_energy()
            for step in range(1, steps + 1):
                dynamics.run(1)
                found[number, step] += sign * calculator.dipole_change[number % 3] / 2
    return found


def predicted(
    dipole: Float[np.ndarray, "time 3"], field: float, temperature: float, steps: int
) -> tuple[Float[np.ndarray, " steps"], Float[np.ndarray, " steps"]]:
    """The step response [e Å] that the dipole of an equilibrium run says, and its standard error.

    The mean is over all time origins and directions; the error from that of BLOCKS parts of the run in each
    direction.
    """
    squares = np.stack(
        [_mean_squares(dipole[lag:] - dipole[: len(dipole) - lag]) for lag in range(steps + 1)]
    )
    said = field * squares / (2 * BOLTZMANN * temperature)  # [lag, parts]
    return said.mean(axis=1), said.std(axis=1, ddof=1) / np.sqrt(said.shape[1])


def _mean_squares(changes: Float[np.ndarray, "origins 3"]) -> Float[np.ndarray, " parts"]:
    return np.concatenate([np.mean(part**2, axis=0) for part in np.array_split(changes, BLOCKS)])


def from_spectrum(
    spectrum: pd.DataFrame, field: float, volume: float, times: Float[np.ndarray, " times"]
) -> Float[np.ndarray, " times"]:
    """The step response [e Å] at `times` [fs] that χ'' says; `volume` in Å³, `field` in V/Å.

    What lies above the table's highest frequency is taken as zero.
    """
    omega = 2 * np.pi * spectrum[WAVENUMBER_COLUMN].to_numpy() / WAVENUMBER
    integrand = spectrum[CHI_COLUMN].to_numpy() * (1 - np.cos(np.outer(times, omega))) / omega
    return volume * field / (4 * np.pi * COULOMB) * (2 / np.pi) * np.trapezoid(integrand, omega)


def compare(
    run: str | Path, spectrum: str | Path, calculator: BornflowCalculator, options: Mapping
) -> pd.DataFrame:
    """All sides over time, for an equilibrium run of that model and its table of χ''.

    `options` are `dynamics.response`.
    """
    attributes, series = read_run(run, "dipole", "temperature")
    if np.any(attributes["electric_field [V/Å]"]):
        raise BornflowError(f"{run} was made in a field; the fluctuations without one are needed")
    table = tables.susceptibility(spectrum)
    timestep = float(attributes["timestep [fs]"])
    steps, recorded = round(options["length"] / timestep), len(series["dipole"])
    if recorded < 2 * BLOCKS * (steps + 1):
        raise BornflowError(
            f"{run} is {recorded} steps long; for a response of {steps} steps {2 * BLOCKS * (steps + 1)} are "
            "needed: make the run longer or dynamics.response.length shorter"
        )
    frames = frames_of(run)
    count = min(options["pairs"], len(frames))
    if count < 2:
        raise BornflowError(f"{run} holds {count} frames; two are needed: make frame_interval smaller")
    if table.empty:
        raise BornflowError(f"{spectrum} has a header and no rows; {tables.SPECTRUM}")
    starts = [frames[index] for index in np.linspace(0, len(frames) - 1, count).round().astype(int)]
    moved = measured(starts, calculator, options["field"], timestep, steps)
    temperature = mean_temperature([Path(run)], [series["temperature"]])
    said, doubt = predicted(series["dipole"], options["field"], temperature, steps)
    times = np.arange(steps + 1) * timestep
    return pd.DataFrame(
        {
            tables.TIME: times,
            tables.DIPOLE: moved.mean(axis=0),
            tables.DIPOLE_ERROR: moved.std(axis=0, ddof=1) / np.sqrt(count),
            tables.PREDICTED: said,
            tables.PREDICTED_ERROR: doubt,
            tables.FROM_SPECTRUM: from_spectrum(
                table, options["field"], float(attributes["volume [Å³]"]), times
            ),
        }
    )


@command
def main() -> None:
    """Write the response."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--run", required=True, help="HDF5 of an equilibrium run without a field")
    parser.add_argument("--spectrum", required=True, help="CSV of that system's susceptibility")
    parser.add_argument("--config", help="a configuration; its section dynamics.response is read")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    section = config.load(args.config, "dynamics")
    calculator = BornflowCalculator.from_checkpoint(args.checkpoint, np.zeros(3), section["dtype"])
    table = compare(args.run, args.spectrum, calculator, section["response"])
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
