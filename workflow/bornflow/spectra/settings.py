"""Settings of spectra: the section `spectra` of a configuration."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SpectraSettings:
    """How power spectra are taken from runs and which of their frequencies are kept."""

    resolution: float  # cm⁻¹, the spacing of frequencies
    binning: str  # linear or logarithmic
    bins_per_decade: int
    route: str  # current or polarisation
    highest: float  # cm⁻¹
    published: str | None = None  # folder of published spectra, for comparison
