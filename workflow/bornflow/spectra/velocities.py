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

from ..cli import command
from ..dynamics.masses import same_atoms
from ..dynamics.series import read_run
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
    numbers, masses = same_atoms(paths, found)
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


@command
def main() -> None:
    """Write the power spectra of one system from the runs of its replicas."""
    write(spectrum, main.__doc__)


if __name__ == "__main__":
    main()
