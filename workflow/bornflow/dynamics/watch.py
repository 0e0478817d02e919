"""A watch that stops a run which has left physics, and says where."""

from collections import deque
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from .. import connectivity, thermostats
from ..errors import BornflowError
from ..io import frames
from . import masses

LAST_FRAMES = 20  # kept for who wants to see what happened


class Watch:
    """Looks at every step of a run of `atoms`, as they are before it; `options` are those of its system.

    Limits: `temperature_limit` [K]; `bond_limit`, the length of a covalent bond of the start structure over
    the sum of covalent radii (`structures.bonds`: a water may leave an ion); `energy_limit` [eV], the change
    of the conserved energy per atom in one step; `drift_limit` [eV], that since the run began. A run that
    goes on has the `state` that it was left in.
    """

    def __init__(self, atoms: Atoms, options: Mapping, failed: Path, state: Mapping | None = None):
        self.options, self.failed = options, failed
        self.state = dict(state or {"first": None, "last": None})  # conserved energies
        self._frames: deque[tuple[int, np.ndarray, np.ndarray]] = deque(maxlen=LAST_FRAMES)
        first, second, shifts = connectivity.covalent(atoms)
        self.bonds = first, second, shifts @ atoms.cell.array
        self._longest = options["bond_limit"] * np.sum(
            covalent_radii[atoms.numbers[list(self.bonds[:2])]], axis=0
        )

    def look(self, atoms: Atoms, step: int, conserved: float, temperature: float) -> None:
        """Raise BornflowError, after writing the last frames, if a limit is passed; NaN passes all."""
        if self.state["first"] is None:
            self.state = {"first": conserved, "last": conserved}
        self._keep(atoms, step)
        wrong = self._wrong(atoms, conserved, temperature)
        self.state["last"] = conserved
        if wrong:
            raise self._stopped(atoms, step, wrong)

    def fail(self, atoms: Atoms, step: int, error: BornflowError) -> BornflowError:
        """The error of a step that the model could not make, with the step; the last frames are written."""
        self._keep(atoms, step)
        return self._stopped(atoms, step, str(error))

    def _keep(self, atoms: Atoms, step: int) -> None:
        self._frames.append((step, atoms.positions.copy(), atoms.get_momenta()))

    def _stopped(self, atoms: Atoms, step: int, wrong: str) -> BornflowError:
        self._write(atoms)
        return BornflowError(
            f"step {step}: {wrong}. Train the model on more structures like this one, or lower the time "
            f"step. The last frames are in {self.failed}"
        )

    def _wrong(self, atoms: Atoms, conserved: float, temperature: float) -> str | None:
        if not temperature < self.options["temperature_limit"]:
            fastest = int(np.argmax(np.linalg.norm(atoms.get_velocities(), axis=1)))
            return (
                f"temperature {temperature:.0f} K is above {self.options['temperature_limit']:g} K "
                f"(temperature_limit), {_name(atoms, fastest)} is the fastest"
            )
        first, second, _ = self.bonds
        vectors = thermostats.bond_vectors(atoms, *self.bonds)
        lengths = np.sqrt(np.einsum("bx,bx->b", vectors, vectors))
        if not (lengths < self._longest).all():
            bond = int(np.argmax(lengths / self._longest))
            return (
                f"the bond of {_name(atoms, int(first[bond]))} and {_name(atoms, int(second[bond]))} is "
                f"{lengths[bond]:.2f} Å long, above {self._longest[bond]:.2f} Å (bond_limit)"
            )
        jump = abs(conserved - self.state["last"]) / len(atoms)
        if not jump < self.options["energy_limit"]:
            return (
                f"the conserved energy changed by {jump:.3g} eV per atom in one step, above "
                f"{self.options['energy_limit']:g} eV (energy_limit); {_most_pushed(atoms)}"
            )
        drift = (conserved - self.state["first"]) / len(atoms)
        if not abs(drift) < self.options["drift_limit"]:
            return (
                f"the conserved energy has changed by {drift:.3g} eV per atom since the run began, above "
                f"{self.options['drift_limit']:g} eV (drift_limit); {_most_pushed(atoms)}"
            )
        return None

    def _write(self, atoms: Atoms) -> None:
        last = []
        for step, positions, momenta in self._frames:
            frame = Atoms(atoms.numbers, positions, cell=atoms.cell, pbc=atoms.pbc)
            frame.info = {"structure": f"step-{step}", "step": step}
            masses.carry(atoms.get_masses(), frame)
            frame.set_momenta(momenta)
            last.append(frame)
        frames.write(self.failed, last)


def _most_pushed(atoms: Atoms) -> str:
    pushed = int(np.argmax(np.linalg.norm(atoms.get_forces(), axis=1)))
    return f"{_name(atoms, pushed)} has the largest force"


def _name(atoms: Atoms, index: int) -> str:
    return f"atom {index} ({atoms.symbols[index]})"
