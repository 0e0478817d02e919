"""The section `labels` of a configuration as frozen dataclasses.

`workflow/schemas/config.schema.yaml` describes each field, with its unit, range and default.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import config


@dataclass(frozen=True)
class CP2KSettings:
    """The section `labels.cp2k`."""

    command: str
    hours: float
    method: str
    cutoff: float  # Ry
    force_cutoff: float  # Ry
    relaxed_force: float  # eV/Å
    rel_cutoff: float  # Ry
    vacuum: float  # Å
    eps_default: float
    basis: str
    scf: str
    eps_scf: float
    eps_scf_ot: float
    max_scf: int
    field: float  # atomic units
    field_operator: str

    @property
    def has_fine_run(self) -> bool:
        """Whether energy and forces come from one more field-free run, on a finer grid."""
        return self.force_cutoff > self.cutoff

    def uses_ot(self, restart: bool) -> bool:
        """Whether the SCF is solved by orbital transformation.

        Runs that start from a converged wave function (`restart`) always use it: it needs half as many steps
        as diagonalization there, and the Berry-phase field requires it. A start from atoms takes twice as
        many steps as diagonalization, so there it is used only if `scf` selects it.
        """
        return restart or self.scf == "ot"


@dataclass(frozen=True)
class XTBSettings:
    """The section `labels.xtb`."""

    field: float  # atomic units


@dataclass(frozen=True)
class ModelSettings:
    """The section `labels.model`."""

    folders: Sequence[str]


@dataclass(frozen=True)
class StudySettings:
    """One entry of `labels.studies`."""

    data: str
    columns: Sequence[str]
    seconds: bool
    gate: bool
    cases: Sequence[Mapping[str, Any]]  # with the keys structures, reference and variants


@dataclass(frozen=True)
class LabelSettings:
    """The section `labels`; `gate` maps the name of a residual to its limit."""

    engine: str
    cache: str
    known: Sequence[str]
    batch_size: int
    threads: int
    max_rejected: float
    gate: Mapping[str, float]
    cp2k: CP2KSettings
    xtb: XTBSettings
    model: ModelSettings
    studies: Mapping[str, StudySettings]
    linear_response: Sequence[str]

    @classmethod
    def from_section(cls, section: Mapping[str, Any]) -> "LabelSettings":
        """The settings of a checked section `labels`, all defaults filled in."""
        nested = {
            "cp2k": CP2KSettings(**section["cp2k"]),
            "xtb": XTBSettings(**section["xtb"]),
            "model": ModelSettings(**section["model"]),
            "studies": {name: StudySettings(**study) for name, study in section["studies"].items()},
        }
        return cls(**{**section, **nested})

    @property
    def scratch(self) -> Path:
        """The folder of unfinished calculations, next to the cache."""
        return Path(self.cache).parent / "work"


def load_settings(path: str | Path | None) -> LabelSettings:
    """The section `labels` of a configuration file; all defaults where `path` is None."""
    return LabelSettings.from_section(config.load(path, "labels"))
