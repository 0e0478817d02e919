"""Time series of a run on disk: parts that survive a kill, and the HDF5 file they become.

While a run goes on, every stretch of steps is one file in a folder beside the target, written whole,
with the state to go on from. At the end they are joined to one HDF5 file.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from ..errors import BornflowError
from ..io.files import atomic_write

# Name: unit, what it is. The first axis is time.
QUANTITIES = {
    "current": ("e Å / fs", "bound-charge current dM/dt at every step"),
    "dipole": ("e Å", "M − M(0), the current's integral by the trapezoidal rule"),
    "static_current": ("e Å / fs", "Σ_i Q_i v_i, the current of coupled models without charge flux"),
    "potential_energy": ("eV", "potential energy at every step"),
    "kinetic_energy": ("eV", "kinetic energy at every step"),
    "conserved_energy": ("eV", "total energy minus the heat taken up from the thermostat"),
    "temperature": ("K", "instantaneous temperature at every step"),
    "bond_temperature": ("K", "temperature of the motion along the bonds, of the frames"),
    "positions": ("Å", "positions of the frames"),
    "velocities": ("Å / fs", "velocities, every velocity_interval steps"),
}
ATOM_UNITS = {"cell": "Å", "masses": "amu"}  # of what does not change in a run


@dataclass
class Parts:
    """The folder of finished parts of one run, tied to its settings by `identity`."""

    folder: Path
    identity: str
    count: int = field(default=0, init=False)

    def resume(self) -> dict | None:
        """The state after the last finished part, or None for a fresh start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        owner = self.folder / "identity"
        if not owner.exists() or owner.read_text() != self.identity:
            for stale in self.folder.glob("*"):
                stale.unlink()
            with atomic_write(owner) as scratch:
                scratch.write_text(self.identity)
        while self._path(self.count).exists():
            self.count += 1
        if not self.count:
            return None
        with np.load(self._path(self.count - 1)) as part:
            state = json.loads(str(part["state"]))
            return state | {name: part[f"state_{name}"] for name in ("positions", "momenta")}

    def add(self, series: dict[str, np.ndarray], state: dict) -> None:
        """Store one stretch of steps and the state after it."""
        arrays = {f"state_{name}": state.pop(name) for name in ("positions", "momenta")}
        with atomic_write(self._path(self.count)) as scratch, scratch.open("wb") as handle:
            np.savez(handle, state=json.dumps(state), **arrays, **series)
        self.count += 1

    def join(self, out: Path, attributes: dict, atoms: dict[str, np.ndarray]) -> None:
        """Write all parts as one HDF5 file and remove the folder."""
        with atomic_write(out) as scratch, h5py.File(scratch, "w") as file:
            file.attrs.update(attributes)
            for name, values in atoms.items():
                file[name] = values
                if name in ATOM_UNITS:
                    file[name].attrs["unit"] = ATOM_UNITS[name]
            for index in range(self.count):
                with np.load(self._path(index)) as part:
                    for name, (unit, text) in QUANTITIES.items():
                        if name in part:
                            _append(file, name, part[name], unit, text)
        for path in self.folder.glob("*"):
            path.unlink()
        self.folder.rmdir()

    def _path(self, index: int) -> Path:
        return self.folder / f"part-{index:06d}.npz"


def _append(file: h5py.File, name: str, values: np.ndarray, unit: str, text: str) -> None:
    if name not in file:
        data = file.create_dataset(
            name, values.shape, maxshape=(None, *values.shape[1:]), chunks=True, dtype=values.dtype
        )
        data.attrs["unit"], data.attrs["description"] = unit, text
        data[:] = values
        return
    data = file[name]
    first = len(data)
    data.resize(first + len(values), axis=0)
    data[first:] = values


def read_run(
    path: str | Path, *names: str, optional: Sequence[str] = ()
) -> tuple[dict, dict[str, np.ndarray]]:
    """Attributes and the named series of a run's HDF5 file, with the `optional` ones it has."""
    try:
        with h5py.File(path) as file:
            missing = [name for name in names if name not in file]
            if missing:
                raise BornflowError(f"{path} holds no {', '.join(missing)}; make it with dynamics.md")
            present = [name for name in (*names, *optional) if name in file]
            return dict(file.attrs), {name: file[name][:] for name in present}
    except OSError as error:
        raise BornflowError(f"{path} cannot be read as HDF5: {error}") from error
