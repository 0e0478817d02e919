"""Entries of the section `structures` of a configuration as frozen dataclasses.

`workflow/schemas/config.schema.yaml` describes each field, with its unit, range and default.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PoolSettings:
    """One entry of `structures.pools`: candidates are sampled from `molecules`, or read from `files`."""

    relax: bool
    method: str
    keep_relaxed: bool
    starts: int
    temperatures: Sequence[float]  # K
    relaxation_steps: int
    timestep: float  # fs
    steps: int
    interval: int
    select: int
    molecules: int | None = None
    files: Sequence[str] | None = None
    density: float | None = None  # g/cm³ of a periodic box; None for a cluster
    committee: Sequence[str] | None = None  # folders of models that choose the candidates


@dataclass(frozen=True)
class SoapSettings:
    """The section `structures.soap`."""

    cutoff: float  # Å
    n_max: int
    l_max: int
    sigma: float  # Å
