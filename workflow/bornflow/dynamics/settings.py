"""Settings of molecular dynamics: the keys of the section `dynamics` of a configuration.

`SystemSettings` are one entry of `dynamics.systems`, completed with the keys that all systems share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import BornflowError


@dataclass(frozen=True)
class ResponseSettings:
    """`dynamics.response`: pairs of runs in opposite fields."""

    field: float  # V/Å
    length: float  # fs
    pairs: int


@dataclass(frozen=True)
class SystemSettings:
    """One simulated system and how it is simulated.

    A run does not use `bands`, `experiment`, `replicas`, `title`, `timing` and `response`. They are fields
    because the hash that connects unfinished chunks to their run covers nearly all keys
    (`chunks.run_identity`).
    """

    # Start
    structure: str
    frame: int
    repeat: Sequence[int]
    relax: bool
    # Motion
    timestep: float  # fs
    steps: int
    equilibration: int  # steps before recording starts
    temperature: float  # K
    thermostat: str  # bussi or nve
    thermostat_time: float  # fs
    electric_field: Sequence[float]  # V/Å
    fixed_charges: bool
    dtype: str
    # Recording
    frame_interval: int  # steps
    velocity_interval: int  # steps
    part_steps: int  # steps of one chunk
    # Limits of a stable run
    temperature_limit: float  # K
    bond_limit: float  # sums of covalent radii
    energy_limit: float  # eV/atom
    drift_limit: float  # eV/atom
    # Used by other stages
    bands: Mapping[str, Sequence[float]]  # cm⁻¹
    experiment: str
    replicas: int
    timing: Mapping[str, Any]
    response: ResponseSettings
    title: str | None = None

    @classmethod
    def from_section(cls, section: Mapping[str, Any], system: str) -> "SystemSettings":
        """The settings of `system` from the checked section `dynamics`; its keys override shared ones."""
        shared = {key: value for key, value in section.items() if key != "systems"}
        keys = shared | section["systems"][system]
        return cls(**keys | {"response": ResponseSettings(**keys["response"])})

    def to_dict(self) -> dict[str, Any]:
        """The keys as in the configuration; a title that is not given is left out."""
        keys = asdict(self)
        return keys if self.title is not None else {key: keys[key] for key in keys if key != "title"}


def select_system(section: Mapping[str, Any], system: str | None, file: str) -> SystemSettings:
    """The settings of `system`, a key of `dynamics.systems`; None selects the only one.

    `file` names the configuration in messages. Raises BornflowError for an unknown system, and for None if
    there are none or several.
    """
    systems = section["systems"]
    if system is None and len(systems) != 1:
        raise BornflowError(
            f"{file}: dynamics.systems has {', '.join(systems) or 'no entries'}; choose one with --system"
        )
    if system is None:
        (system,) = systems
    if system not in systems:
        raise BornflowError(
            f"--system is {system}, but dynamics.systems of {file} has {', '.join(systems) or 'no entries'}; "
            "choose one of these, or add it there"
        )
    return SystemSettings.from_section(section, system)
