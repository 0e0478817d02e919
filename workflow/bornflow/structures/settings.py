"""Entries of the sections `structures` and `molecules` of a configuration as frozen dataclasses.

`workflow/schemas/config.schema.yaml` describes each field, with its unit, range and default.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Sampler = str | Mapping[str, Any]  # see `samplers`


@dataclass(frozen=True)
class PoolSettings:
    """One entry of `structures.pools`: starts are packed from molecules (`contains`) or read from `files`."""

    relax: bool
    extend: bool
    sampler: Sampler
    reactive: str
    keep_relaxed: bool
    temperatures: Sequence[float]  # K
    relaxation_steps: int
    timestep: float  # fs
    steps: int
    interval: int
    select: int | str  # "all"
    contains: Mapping[str, int] | None = None
    files: Sequence[str] | None = None
    starts: int | None = None  # None: 2 packings, or all structures of the files
    density: float | None = None  # g/cm³ of a periodic box; None for a cluster
    committee: Sequence[str] | None = None  # folders of models that choose the candidates


@dataclass(frozen=True)
class SoapSettings:
    """The section `structures.selection.soap`."""

    cutoff: float  # Å
    n_max: int
    l_max: int
    sigma: float  # Å


@dataclass(frozen=True)
class SelectionSettings:
    """The section `structures.selection`."""

    descriptor: str | Mapping[str, str]  # soap, pet-mad, or {model: FOLDER}
    start_from: Sequence[str]
    duplicates: float
    soap: SoapSettings

    @classmethod
    def from_section(cls, section: Mapping[str, Any]) -> "SelectionSettings":
        """The settings of a checked section `structures.selection`."""
        return cls(**{**section, "soap": SoapSettings(**section["soap"])})
