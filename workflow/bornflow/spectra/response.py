"""Test of linear response in the time domain: the dipole in a field compared with fluctuations.

    python -m bornflow.spectra.response --checkpoint DIR --run run.h5 --spectrum chi.csv \\
        --config cfg.yaml --out response.csv

From frames of an equilibrium run, each with its velocities, pairs of runs start in fields +E and −E that are
switched on at t = 0. By linear response
    ⟨M(t) − M(0)⟩_E = (E / 2 k_B T) ⟨(M(t) − M(0))²⟩₀.
The left side depends on the forces in a field (eq. 12), the right side on the current without one (eq. 15).
For a periodic system the table of `spectra.susceptibility` predicts the same in the frequency domain:
    ⟨M(t) − M(0)⟩_E = ε₀ Ω E (2/π) ∫₀^∞ dω χ''(ω) (1 − cos ωt) / ω.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet
from jaxtyping import Float

from .. import cli, config, constraints
from ..dynamics.export import read_frames
from ..dynamics.initial_conditions import fix_centre_of_mass
from ..dynamics.series import read_run
from ..dynamics.settings import ResponseSettings
from ..errors import BornflowError
from ..inference.calculator import BornflowCalculator
from ..io.files import atomic_write
from ..io.frames import name
from ..progress import track
from ..units import BOLTZMANN, COULOMB, WAVENUMBER
from . import tables
from .replicas import mean_temperature
from .susceptibility import CHI_COLUMN, WAVENUMBER_COLUMN

BLOCKS = 5  # of the equilibrium run; their spread gives the error of the prediction


def in_field(
    starts: Sequence[Atoms], calculator: BornflowCalculator, field: float, timestep: float, steps: int
) -> Float[np.ndarray, "starts times"]:
    """M(t) − M(0) along the field [e Å], half the difference between fields ±`field` [V/Å], for each start.

    The field's direction alternates between x, y and z from start to start. `timestep` in fs, no thermostat.
    Raises BornflowError for constraints.
    """
    dipoles = np.zeros((len(starts), steps + 1))
    for start in starts:
        constraints.reject(start, name(start), "a run in a field")
    for number, start in track(list(enumerate(starts)), "response", len(starts), "pairs"):
        for sign in (1, -1):
            calculator.reset_path()
            calculator.renew_neighbours()
            calculator.electric_field = sign * field * np.eye(3)[number % 3]
            atoms = start.copy()
            atoms.calc = calculator
            fix_centre_of_mass(atoms)
            dynamics = VelocityVerlet(atoms, timestep * units.fs)
            atoms.get_potential_energy()
            for step in range(1, steps + 1):
                dynamics.run(1)
                dipoles[number, step] += sign * calculator.dipole_change[number % 3] / 2
    return dipoles


def from_fluctuations(
    dipole: Float[np.ndarray, "time 3"], field: float, temperature: float, steps: int
) -> tuple[Float[np.ndarray, " times"], Float[np.ndarray, " times"]]:
    """The step response [e Å] that the dipole of an equilibrium run predicts, and its standard error.

    The mean is over all time origins and directions; the error is the spread over BLOCKS blocks of the run in
    each direction.
    """
    squares = np.stack(
        [_mean_squares(dipole[lag:] - dipole[: len(dipole) - lag]) for lag in range(steps + 1)]
    )
    samples = field * squares / (2 * BOLTZMANN * temperature)  # [times, blocks × directions]
    return samples.mean(axis=1), samples.std(axis=1, ddof=1) / np.sqrt(samples.shape[1])


def _mean_squares(changes: Float[np.ndarray, "origins 3"]) -> Float[np.ndarray, " samples"]:
    return np.concatenate([np.mean(block**2, axis=0) for block in np.array_split(changes, BLOCKS)])


def from_spectrum(
    spectrum: pd.DataFrame, field: float, volume: float, times: Float[np.ndarray, " times"]
) -> Float[np.ndarray, " times"]:
    """The step response [e Å] at `times` [fs] that χ'' predicts; `volume` in Å³, `field` in V/Å.

    χ'' is taken as zero above the table's highest frequency.
    """
    omega = 2 * np.pi * spectrum[WAVENUMBER_COLUMN].to_numpy() / WAVENUMBER
    integrand = spectrum[CHI_COLUMN].to_numpy() * (1 - np.cos(np.outer(times, omega))) / omega
    return volume * field / (4 * np.pi * COULOMB) * (2 / np.pi) * np.trapezoid(integrand, omega)


def tabulate(
    run: str | Path, spectrum: str | Path, calculator: BornflowCalculator, settings: ResponseSettings
) -> pd.DataFrame:
    """The dipole in a field and both predictions over time, for an equilibrium run and its table of χ''.

    `calculator` is that of the run's model. Raises BornflowError for a run in a field, or one that is too
    short or has too few frames.
    """
    attributes, series = read_run(run, "dipole", "temperature")
    if np.any(attributes["electric_field [V/Å]"]):
        raise BornflowError(f"{run} was made in a field; give a run of the same system without one")
    table = tables.susceptibility(spectrum)
    timestep = float(attributes["timestep [fs]"])
    steps = round(settings.length / timestep)
    _check_length(run, len(series["dipole"]), steps)
    frames = read_frames(run)
    count = min(settings.pairs, len(frames))
    if count < 2:
        raise BornflowError(f"{run} has {count} frames; at least 2 are needed: make frame_interval smaller")
    if table.empty:
        raise BornflowError(f"{spectrum} has a header and no rows; {tables.SPECTRUM}")
    starts = [frames[index] for index in np.linspace(0, len(frames) - 1, count).round().astype(int)]
    dipoles = in_field(starts, calculator, settings.field, timestep, steps)
    temperature = mean_temperature([Path(run)], [series["temperature"]])
    predicted, error = from_fluctuations(series["dipole"], settings.field, temperature, steps)
    times = np.arange(steps + 1) * timestep
    volume = float(attributes["volume [Å³]"])
    return pd.DataFrame(
        {
            tables.TIME: times,
            tables.DIPOLE: dipoles.mean(axis=0),
            tables.DIPOLE_ERROR: dipoles.std(axis=0, ddof=1) / np.sqrt(count),
            tables.PREDICTED: predicted,
            tables.PREDICTED_ERROR: error,
            tables.FROM_SPECTRUM: from_spectrum(table, settings.field, volume, times),
        }
    )


def _check_length(run: str | Path, recorded: int, steps: int) -> None:
    """Raise BornflowError for a run of too few `recorded` steps for a response of `steps`."""
    needed = 2 * BLOCKS * (steps + 1)
    if recorded < needed:
        raise BornflowError(
            f"{run} has {recorded} steps; a response of {steps} steps needs {needed}: make the "
            "run longer or dynamics.response.length shorter"
        )


@cli.command
def main() -> None:
    """Write the dipole in a field over time, next to its predictions."""
    args = cli.parse(
        main,
        "checkpoint",
        "config",
        run=cli.option("HDF5 file of an equilibrium run without a field"),
        spectrum=cli.option("CSV file of that system's susceptibility"),
        out=cli.option("CSV file to write"),
    )
    section = config.load(args.config, "dynamics")
    calculator = BornflowCalculator.from_checkpoint(args.checkpoint, np.zeros(3), section["dtype"])
    table = tabulate(args.run, args.spectrum, calculator, ResponseSettings(**section["response"]))
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
