"""Power spectra of velocities, by element: all vibrations, including those that absorb no light.

    python -m bornflow.spectra.velocities --runs run0.h5 run1.h5 --out velocities.csv

    D_s(ν) = (2 / k_B T n) Σ_{i of species s} m_i Σ_α ∫ dt exp(iωt) ⟨v_iα(0) v_iα(t)⟩
n is the number of atoms of the species. The integral over ν > 0 is the number of degrees of freedom per atom:
3 by equipartition, minus those of the overall motion that is removed. Masses m_i are those of the run,
isotopes included.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ase.data import chemical_symbols

from ..cli import command
from ..dynamics.masses import common_atoms
from ..dynamics.series import read_run
from ..units import AMU, BOLTZMANN, WAVENUMBER
from . import signals
from .replicas import mean_temperature, shared_attributes, write_table
from .settings import SpectraSettings
from .susceptibility import WAVENUMBER_COLUMN, densities


def spectrum(paths: Sequence[Path], settings: SpectraSettings) -> pd.DataFrame:
    """A column for each element [cm], degrees of freedom per atom and cm⁻¹, from the runs of replicas."""
    attributes, runs = zip(
        *(read_run(path, "velocities", "numbers", "temperature", optional=["masses"]) for path in paths),
        strict=True,
    )
    shared = shared_attributes(paths, attributes, "velocity_interval [steps]")
    timestep = float(shared["timestep [fs]"]) * int(shared["velocity_interval [steps]"])
    numbers, masses = common_atoms(paths, runs)
    temperature = mean_temperature(paths, [series["temperature"] for series in runs])
    table = {}
    for number in np.unique(numbers):
        atoms = np.flatnonzero(numbers == number)
        density: float | np.ndarray = 0.0
        for atom in atoms:  # one by one, since the segments of all atoms need more memory than the run
            velocities = [series["velocities"][:, atom].astype(float) for series in runs]
            frequencies, transforms = signals.segment_spectra(velocities, timestep, settings.resolution)
            density = density + masses[atom] * AMU * densities(transforms).mean(axis=0) * 3
        column = f"{chemical_symbols[number]} [cm]"
        table[column] = 2 * density / (BOLTZMANN * temperature * len(atoms)) / WAVENUMBER
    wavenumbers = frequencies * WAVENUMBER
    kept = (wavenumbers > 0) & (wavenumbers <= settings.highest)
    return pd.DataFrame({WAVENUMBER_COLUMN: wavenumbers} | table)[kept]


@command
def main() -> None:
    """Write the power spectra of one system from the runs of its replicas."""
    write_table(main, spectrum)


if __name__ == "__main__":
    main()
