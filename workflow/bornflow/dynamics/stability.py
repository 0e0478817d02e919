"""Limits that stop a run as soon as the model gives unphysical motion, with the step and the atom."""

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from .. import connectivity, thermostats
from ..errors import BornflowError
from ..io import frames
from . import masses
from .settings import SystemSettings

LAST_FRAMES = 20  # written when a run is stopped


class StabilityMonitor:
    """Checks every step of a run; `atoms` are in their state before the first step.

    Limits in `settings`: `temperature_limit` [K]; `bond_limit`, the longest length of a covalent bond of the
    start structure in sums of the covalent radii (`connectivity.covalent_bonds`, so a water may leave an
    ion); `energy_limit` [eV], the change of the conserved energy per atom in one step; `drift_limit` [eV],
    its change since the run began. If one is exceeded, the last frames are written to `failed`. A resumed run
    continues with the last `state` of the monitor.
    """

    def __init__(
        self, atoms: Atoms, settings: SystemSettings, failed: Path, state: Mapping[str, Any] | None = None
    ):
        self.settings, self.failed = settings, failed
        self.state = dict(state or {"first": None, "last": None})  # conserved energies [eV]
        self._frames: deque[tuple[int, np.ndarray, np.ndarray]] = deque(maxlen=LAST_FRAMES)
        first, second, shifts = connectivity.covalent_bonds(atoms)
        self.bonds = first, second, shifts @ atoms.cell.array
        radii = covalent_radii[atoms.numbers]
        self._longest = settings.bond_limit * np.sum([radii[first], radii[second]], axis=0)

    def check(self, atoms: Atoms, step: int, conserved: float, temperature: float) -> None:
        """Raise BornflowError and write the last frames if a limit is exceeded; NaN exceeds all."""
        if self.state["first"] is None:
            self.state = {"first": conserved, "last": conserved}
        self._remember(atoms, step)
        reason = self._exceeded(atoms, conserved, temperature)
        self.state["last"] = conserved
        if reason:
            raise self._stop(atoms, step, reason)

    def model_failed(self, atoms: Atoms, step: int, error: BornflowError) -> BornflowError:
        """The error of a step that the model could not evaluate; the last frames are written."""
        self._remember(atoms, step)
        return self._stop(atoms, step, str(error))

    def _remember(self, atoms: Atoms, step: int) -> None:
        self._frames.append((step, atoms.positions.copy(), atoms.get_momenta()))

    def _stop(self, atoms: Atoms, step: int, reason: str) -> BornflowError:
        self._write(atoms)
        return BornflowError(
            f"step {step}: {reason}. Train the model on more structures like this one, or lower the time "
            f"step. The last frames are in {self.failed}"
        )

    def _exceeded(self, atoms: Atoms, conserved: float, temperature: float) -> str | None:
        """The exceeded limit with place and value; None if there is none."""
        if not temperature < self.settings.temperature_limit:
            fastest = int(np.argmax(np.linalg.norm(atoms.get_velocities(), axis=1)))
            return (
                f"temperature {temperature:.0f} K is above {self.settings.temperature_limit:g} K "
                f"(temperature_limit), {_name(atoms, fastest)} is the fastest"
            )
        vectors = thermostats.bond_vectors(atoms, *self.bonds)
        lengths = np.sqrt(np.einsum("bx,bx->b", vectors, vectors))
        if not (lengths < self._longest).all():
            bond = int(np.argmax(lengths / self._longest))
            first, second = (_name(atoms, int(ends[bond])) for ends in self.bonds[:2])
            return (
                f"the bond of {first} and {second} is {lengths[bond]:.2f} Å long, above "
                f"{self._longest[bond]:.2f} Å (bond_limit)"
            )
        jump = abs(conserved - self.state["last"]) / len(atoms)
        if not jump < self.settings.energy_limit:
            return (
                f"the conserved energy changed by {jump:.3g} eV per atom in one step, above "
                f"{self.settings.energy_limit:g} eV (energy_limit); {_largest_force(atoms)}"
            )
        drift = (conserved - self.state["first"]) / len(atoms)
        if not abs(drift) < self.settings.drift_limit:
            return (
                f"the conserved energy has changed by {drift:.3g} eV per atom since the run began, above "
                f"{self.settings.drift_limit:g} eV (drift_limit); {_largest_force(atoms)}"
            )
        return None

    def _write(self, atoms: Atoms) -> None:
        last = []
        for step, positions, momenta in self._frames:
            frame = Atoms(atoms.numbers, positions, cell=atoms.cell, pbc=atoms.pbc)
            frame.info = {"structure": f"step-{step}", "step": step}
            masses.assign(atoms.get_masses(), frame)
            frame.set_momenta(momenta)
            last.append(frame)
        frames.write(self.failed, last)


def _largest_force(atoms: Atoms) -> str:
    atom = int(np.argmax(np.linalg.norm(atoms.get_forces(), axis=1)))
    return f"{_name(atoms, atom)} has the largest force"


def _name(atoms: Atoms, index: int) -> str:
    return f"atom {index} ({atoms.symbols[index]})"
