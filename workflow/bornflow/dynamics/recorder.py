"""The series that a run records: the current at every step, its integral, energies and frames."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms, units

from .. import thermostats
from .settings import SystemSettings


class Recorder:
    """Collects the series of `quantities.QUANTITIES`, chunk by chunk.

    The dipole M − M(0) [e Å] is the integral of the current [e Å/fs] by the trapezoidal rule, so a resumed
    run continues from the last values, the `state`. `bonds` are those of `thermostats.bond_temperature`.
    """

    def __init__(self, settings: SystemSettings, state: Mapping[str, Any], bonds: Sequence[np.ndarray]):
        self.settings, self.bonds = settings, bonds
        self.dipole = np.array(state["dipole"])
        self.current = None if state["current"] is None else np.array(state["current"])
        self._clear()

    @property
    def state(self) -> dict[str, list[float] | None]:
        """The state from which the next recorder continues."""
        return {
            "dipole": self.dipole.tolist(),
            "current": None if self.current is None else self.current.tolist(),
        }

    def record(self, step: int, atoms: Atoms, kinetic: float, conserved: float, temperature: float) -> None:
        """Record one step, with its kinetic and conserved energies [eV] and temperature [K]."""
        velocities = atoms.get_velocities() * units.fs  # Å/fs
        results = atoms.calc.results
        current = np.einsum("iab,ib->a", results["born_effective_charges"], velocities)
        if self.current is not None:
            self.dipole = self.dipole + self.settings.timestep * (current + self.current) / 2
        self.current = current
        self._rows.append((*current, *self.dipole, results["energy"], kinetic, conserved, temperature))
        if "effective_charges" in results:
            self._static_current.append(results["effective_charges"] @ velocities)
        if step % self.settings.frame_interval == 0:
            self._positions.append(atoms.positions.astype(np.float32))
            if len(self.bonds[0]):
                self._bond_temperature.append(thermostats.bond_temperature(atoms, *self.bonds))
        if step % self.settings.velocity_interval == 0:
            self._velocities.append(velocities.astype(np.float32))

    def flush(self, n_atoms: int) -> dict[str, np.ndarray]:
        """The series since the last flush, by name."""
        rows = np.array(self._rows, dtype=np.float64).reshape(-1, 10)
        series: dict[str, np.ndarray] = {
            "current": rows[:, 0:3],
            "dipole": rows[:, 3:6],
            "potential_energy": rows[:, 6],
            "kinetic_energy": rows[:, 7],
            "conserved_energy": rows[:, 8],
            "temperature": rows[:, 9],
            "positions": np.array(self._positions, dtype=np.float32).reshape(-1, n_atoms, 3),
            "velocities": np.array(self._velocities, dtype=np.float32).reshape(-1, n_atoms, 3),
        }
        if self._static_current:
            series["static_current"] = np.array(self._static_current, dtype=np.float64)
        if len(self.bonds[0]):
            series["bond_temperature"] = np.array(self._bond_temperature, dtype=np.float64)
        self._clear()
        return series

    def _clear(self) -> None:
        self._rows: list[tuple[float, ...]] = []
        self._static_current: list[np.ndarray] = []
        self._bond_temperature: list[float] = []
        self._positions: list[np.ndarray] = []
        self._velocities: list[np.ndarray] = []
