"""Physical constants and unit conversions.

Inside bornflow lengths are Å, energies eV, times fs, temperatures K, charges e.
CP2K and tblite use atomic units; they are converted with the factors below only.
Values are CODATA 2018, as in `scipy.constants`.
"""

import contextlib

from scipy import constants as si

from .errors import BornflowError

HARTREE = si.physical_constants["Hartree energy in eV"][0]  # eV
BOHR = si.physical_constants["Bohr radius"][0] / si.angstrom  # Å
FORCE_AU = HARTREE / BOHR  # eV/Å, one hartree per bohr

DEBYE = 1e-21 / si.speed_of_light / si.elementary_charge / si.angstrom  # e Å

COULOMB = 14.399645478  # eV Å e⁻², 1/(4 π ε₀)

BOLTZMANN = si.physical_constants["Boltzmann constant in eV/K"][0]  # eV/K
WATER_MOLAR_MASS = 18.01528  # g/mol

AMU = si.atomic_mass * 1e10 / si.electron_volt  # eV fs²/Å², one unified atomic mass unit
# ω χ'' Ω of a molecule [Å³/fs] times this is N_A σ = N_A ω χ'' Ω / c [km cm/mol].
INTENSITY = si.N_A * 1e-15 / si.speed_of_light / 10

# A frequency ν in fs⁻¹ is a wavenumber of ν · WAVENUMBER in cm⁻¹.
WAVENUMBER = 1e15 / (100 * si.speed_of_light)
# ... and ν · TERAHERTZ in THz.
TERAHERTZ = 1e3

FEWEST_STEPS = 4  # of a segment, whose spectrum then has two frequencies above zero


def spectral_steps(resolution: float, timestep: float) -> int:
    """The (even) number of steps of `timestep` [fs] in a segment with `resolution` [cm⁻¹].

    Raises BornflowError for a resolution that no segment with this time step can have.
    """
    with contextlib.suppress(ZeroDivisionError, OverflowError, ValueError):
        steps = 2 * round(WAVENUMBER / (resolution * timestep) / 2)
        if steps >= FEWEST_STEPS:
            return steps
    highest = WAVENUMBER / (FEWEST_STEPS * timestep) if timestep else float("nan")
    raise BornflowError(
        f"spectra.resolution is {resolution:g} cm⁻¹, which a series with a step of {timestep:g} fs cannot "
        f"have: the spacing of frequencies is above 0 and at most {highest:.4g} cm⁻¹; choose a finer one"
    )
