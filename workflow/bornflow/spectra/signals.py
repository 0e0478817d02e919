"""Signal processing: power spectra of stationary series, their averages, and the Kramers–Kronig relation.

The physical meaning of a series is left to `susceptibility` and `velocities`.
"""

from collections.abc import Sequence

import numpy as np
import scipy.signal
from jaxtyping import Complex, Float

from ..errors import BornflowError
from ..units import spectral_steps

LINE_WIDTH = 1.44  # full width at half maximum of a Hann window's power, in spacings of frequencies


def segment_spectra(
    series: Sequence[Float[np.ndarray, "steps components"]], timestep: float, resolution: float
) -> tuple[Float[np.ndarray, " frequencies"], list[Complex[np.ndarray, "segments components frequencies"]]]:
    """Frequencies 0, Δ, 2Δ, … [fs⁻¹] and, for each series, the Fourier transforms of its windowed segments.

    The squared magnitude of a transform is the two-sided spectral density ∫ dt exp(iωt) ⟨x(0) x(t)⟩ in
    (unit of the series)² fs. The length of a segment is chosen so that its frequencies are `resolution`
    [cm⁻¹] apart; `timestep` is in fs. Segments have a Hann window, which makes a sharp line LINE_WIDTH
    spacings wide at half its height. They overlap by about half or less, and the last of two or more ends
    with the series. Raises BornflowError if a series is shorter than one segment.
    """
    length = spectral_steps(resolution, timestep)
    frequencies = np.fft.rfftfreq(length, timestep)
    window = scipy.signal.get_window("hann", length)
    scale = np.sqrt(timestep / np.sum(window**2))
    transforms = []
    for values in series:
        if len(values) < length:
            raise BornflowError(
                f"a run of {len(values)} steps cannot resolve {resolution:g} cm⁻¹, which needs {length}; "
                "make dynamics.systems.*.steps larger or spectra.resolution coarser"
            )
        number = 1 + int(2 * (len(values) - length) / length + 0.1)
        starts = np.linspace(0, len(values) - length, number).round().astype(int)
        segments = np.stack([values[start : start + length] for start in starts])
        transformed = np.fft.rfft(segments * window[:, None], axis=1) * scale
        transforms.append(np.moveaxis(transformed, 1, 2))
    return frequencies, transforms


def differentiate(
    integral: Float[np.ndarray, "steps components"], timestep: float
) -> Float[np.ndarray, "steps components"]:
    """The series whose integral by the trapezoidal rule is `integral`.

    The rule, integral[n+1] − integral[n] = timestep (x[n] + x[n+1]) / 2, does not determine x[0]. Another
    x[0] adds a term that changes its sign at every step, so it affects the highest frequency only. The
    series without this term is returned.
    """
    means = np.diff(integral, axis=0) / timestep
    signs = (-1.0) ** np.arange(len(integral))[:, None]
    series = np.zeros(integral.shape)
    series[1:] = -2 * np.cumsum(signs[:-1] * means, axis=0)
    series *= signs
    return series - signs * np.mean(series * signs, axis=0)


def logarithmic_bins(
    frequencies: Float[np.ndarray, " frequencies"],
    values: Float[np.ndarray, "... frequencies"],
    per_decade: int,
) -> tuple[Float[np.ndarray, " bins"], Float[np.ndarray, "... bins"]]:
    """Centres of bins of equal width in log ν, and means over each; bins without a frequency are left out."""
    places = np.floor(np.log10(frequencies / frequencies[0]) * per_decade + 1e-9).astype(int)
    _, places, counts = np.unique(places, return_inverse=True, return_counts=True)
    members = (places == np.arange(len(counts))[:, None]) / counts[:, None]  # [bins, frequencies]
    return np.exp(members @ np.log(frequencies)), values @ members.T


def kramers_kronig(
    frequencies: Float[np.ndarray, " frequencies"], weighted: Float[np.ndarray, "... frequencies"]
) -> Float[np.ndarray, "... frequencies"]:
    """χ'(ν) = (2/π) P∫₀^∞ dν' ν' χ''(ν') / (ν'² − ν²) on a grid ν = 0, Δ, 2Δ, ….

    `weighted` is ν χ''(ν), which is not zero at ν = 0 if relaxation is too slow for the grid. By Maclaurin's
    formula (Ohta and Ishida, Appl. Spectrosc. 42, 952 (1988)) the sum is over every second point, so that the
    pole lies between two points. χ'' is taken as zero above the last frequency. Raises BornflowError for
    another grid.
    """
    spacing = frequencies[1] - frequencies[0]
    if frequencies[0] != 0 or not np.allclose(np.diff(frequencies), spacing):
        raise BornflowError("the Kramers–Kronig relation needs frequencies 0, Δ, 2Δ, …")
    squares, weighted = frequencies**2, np.array(weighted)
    weighted[..., 0] /= 2  # the first point of the trapezoidal rule
    real = np.zeros(weighted.shape)
    for parity in (0, 1):
        sources, targets = slice(1 - parity, None, 2), np.arange(parity, len(frequencies), 2)
        for block in np.array_split(
            targets, 1 + len(targets) // 256
        ):  # the full matrix would not fit into memory
            real[..., block] = weighted[..., sources] @ (1 / (squares[sources, None] - squares[block]))
    return 4 / np.pi * spacing * real
