"""Power spectra of velocities, by element: all vibrations, also those that absorb no light.

    python -m bornflow.spectra.velocities --runs run0.h5 run1.h5 --out velocities.csv

    D_s(ν) = (2 / k_B T n) Σ_{i of species s} m_i Σ_α ∫ dt exp(iωt) ⟨v_iα(0) v_iα(t)⟩
integrates over ν > 0 to the degrees of freedom that the species' n atoms have each: 3 by equipartition, less
what the motion of the whole takes away. Masses m_i are those that the run was made with, isotopes included.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ase import data

from ..dynamics.masses import of_run
from ..dynamics.series import read_run
from ..errors import BornflowError, command
from ..units import AMU, BOLTZMANN, WAVENUMBER
from . import signals
from .susceptibility import WAVENUMBER_COLUMN, common, densities, mean_temperature, write


def spectrum(paths: Sequence[Path], options: Mapping) -> pd.DataFrame:
    """A column for each element: degrees of freedom an atom and cm⁻¹; `options` as for susceptibilities."""
    attributes, found = zip(
        *(read_run(path, "velocities", "numbers", "temperature", optional=["masses"]) for path in paths),
        strict=True,
    )
    shared = common(paths, attributes, "velocity_interval [steps]")
    timestep = float(shared["timestep [fs]"]) * int(shared["velocity_interval [steps]"])
    numbers, masses = _same_atoms(paths, found)
    temperature = mean_temperature(paths, [series["temperature"] for series in found])
    table = {}
    for number in np.unique(numbers):
        atoms = np.flatnonzero(numbers == number)
        density = 0
        for atom in atoms:  # one by one, since all of a long run's segments are larger than the run
            series = [values["velocities"][:, atom].astype(float) for values in found]
            frequencies, segments = signals.segment_spectra(series, timestep, options["resolution"])
            density = density + masses[atom] * AMU * densities(segments).mean(axis=0) * 3
        column = f"{data.chemical_symbols[number]} [cm]"
        table[column] = 2 * density / (BOLTZMANN * temperature * len(atoms)) / WAVENUMBER
    wavenumbers = frequencies * WAVENUMBER
    kept = (wavenumbers > 0) & (wavenumbers <= options["highest"])
    return pd.DataFrame({WAVENUMBER_COLUMN: wavenumbers} | table)[kept]


def _same_atoms(paths: Sequence[Path], found: Sequence[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Atomic numbers [N] and masses [N] (amu) of the runs; BornflowError where they have not the same."""
    numbers = found[0]["numbers"]
    masses = [of_run(path, series) for path, series in zip(paths, found, strict=True)]
    for path, series, other in zip(paths, found, masses, strict=True):
        if not np.array_equal(series["numbers"], numbers):
            raise BornflowError(f"{path} holds other atoms than {paths[0]}: give runs of one system")
        if not np.array_equal(other, masses[0]):
            atom = int(np.argmax(other != masses[0]))
            mass, expected = (f"{each[atom]:g} amu" for each in (other, masses[0]))
            raise BornflowError(
                f"{path}: atom {atom} ({data.chemical_symbols[numbers[atom]]}) has a mass of {mass}, "
                f"{paths[0]} has {expected}: give runs with the same isotopes"
            )
    return numbers, masses[0]


@command
def main() -> None:
    """Write the power spectra of one system from the runs of its replicas."""
    write(spectrum, main.__doc__)


if __name__ == "__main__":
    main()
