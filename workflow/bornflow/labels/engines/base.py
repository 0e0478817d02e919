"""The interface of all programs that label structures, and the label that they return."""

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.optimize import FIRE
from jaxtyping import Float

from ...errors import Rejected
from ...identity import name
from ..finite_field import FiniteField
from ..settings import LabelSettings


@dataclass(frozen=True)
class Label:
    """Energy [eV], forces [eV/Å] and Born effective charges of one structure."""

    energy: float
    forces: Float[np.ndarray, "atoms 3"]
    response: FiniteField
    residuals: dict[str, float]  # the values that the gate checks, with the keys of `labels.gate`
    hash: str
    # Dipole or polarization, and polarizability, as `labels.moments` gives them.
    moments: dict[str, Float[np.ndarray, "..."]] = field(default_factory=dict)
    # Further numbers for the `info` of the frame, such as uncertainties.
    numbers: Mapping[str, float] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # wall time of each kind of run


class Engine(abc.ABC):
    """A program that labels and relaxes structures, with the settings of one configuration.

    Creating an engine starts no program. Every method raises Rejected, with a reason, for a structure that
    the program cannot calculate, and BornflowError for a mistake that concerns every structure.
    """

    def __init__(self, settings: LabelSettings, threads: int = 1):
        self.settings, self.threads = settings, threads

    def prepare(self, structures: Sequence[Atoms]) -> None:
        """Calculate what is faster for all `structures` together than one by one; by default nothing.

        `label` is called afterwards for each of them.
        """
        return

    @abc.abstractmethod
    def identify(self, atoms: Atoms) -> str:
        """The hash of the exact calculation: structure, settings, data files and version of the program.

        Labels with the same hash are interchangeable.
        """

    @abc.abstractmethod
    def label(self, atoms: Atoms, workdir: Path) -> Label:
        """The label of a structure; scratch files are written under `workdir`."""

    @abc.abstractmethod
    def relax(self, atoms: Atoms, workdir: Path) -> Float[np.ndarray, "atoms 3"]:
        """Positions [Å] of the nearest energy minimum; scratch files are written under `workdir`."""


def relaxed_positions(atoms: Atoms, calculator: BaseCalculator, program: str) -> Float[np.ndarray, "atoms 3"]:
    """Positions [Å] of the nearest minimum, with forces below 0.01 eV/Å.

    Raises Rejected if 2000 steps do not reach it.
    """
    moved = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    moved.info.update(atoms.info)
    moved.calc = calculator
    if not FIRE(moved, logfile=None).run(fmax=0.01, steps=2000):
        raise Rejected(
            f"{program}: {name(atoms)} is not relaxed after 2000 steps; start from a structure "
            "nearer to a minimum"
        )
    return moved.positions


def text_hash(key: str) -> str:
    """The first 64 bits of a SHA-256 in hexadecimal, with a prefix that makes it text.

    Without the prefix, a hash that consists of digits, or of digits and one e, would be read as a number.
    """
    return f"sha256:{key[:16]}"
