"""Parts of a run that is not finished: files that survive a kill, and from which the run goes on.

Every stretch of steps is one file in a folder beside the target, written whole, with the state to go on from.
At the end they are joined to one HDF5 file. Each part names the run and the place that it belongs to, and
has a checksum, so that a damaged or foreign one is found, reported and made again.
"""

import hashlib
import io
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from ..errors import BornflowError
from ..io.files import atomic_write
from .quantities import FIXED, QUANTITIES

SEAL = 71  # bytes at the end of a part, `sealed`


@dataclass
class Parts:
    """The folder of finished parts of one run, tied to its settings by `identity`."""

    folder: Path
    identity: str
    count: int = field(default=0, init=False)

    def resume(self) -> dict | None:
        """The state after the last good part, or None for a fresh start.

        A part that is damaged is removed with all after it, which is said on stderr: they are made again.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._claim()
        state, self.count = None, 0
        while self._path(self.count).exists():
            try:
                found = self._state(self.count)
            except _Damaged as error:
                after = f"part {self.count - 1}" if self.count else "its beginning"
                _say(f"{self._path(self.count)} is damaged ({error}); the run goes on from {after}")
                break
            state = found
            self.count += 1
        for path in sorted(self.folder.glob("part-*.npz")):
            if path not in map(self._path, range(self.count)):
                _say(f"{path} is removed: this part of the run is made again")
                path.unlink()
        return state

    def add(self, series: dict[str, np.ndarray], state: dict) -> None:
        """Store one stretch of steps and the state after it."""
        arrays = {f"state_{name}": state.pop(name) for name in ("positions", "momenta")}
        content = io.BytesIO()
        np.savez(content, state=json.dumps(state), belongs=self._mark(self.count), **arrays, **series)
        with atomic_write(self._path(self.count)) as scratch:
            scratch.write_bytes(sealed(content.getvalue()))
        self.count += 1

    def join(self, out: Path, attributes: dict, atoms: dict[str, np.ndarray]) -> None:
        """Write all parts as one HDF5 file and remove the folder.

        `atoms` are the datasets of `quantities.FIXED`. HDF5 keeps a checksum of every block, so that a
        damaged one is found when it is read.
        """
        with atomic_write(out) as scratch, h5py.File(scratch, "w") as file:
            file.attrs.update(attributes)
            for name, values in atoms.items():
                file.create_dataset(name, data=values, chunks=True, fletcher32=True)
                if name in FIXED and FIXED[name].unit is not None:
                    file[name].attrs["unit"] = FIXED[name].unit
            for index in range(self.count):
                try:
                    part = self._read(index, *QUANTITIES)
                except _Damaged as error:
                    raise BornflowError(
                        f"{self._path(index)} is damaged ({error}); run again: the run goes on from the part "
                        "before it"
                    ) from error
                for name, values in part.items():
                    _append(file, name, values)
        for path in self.folder.glob("*"):
            path.unlink()
        self.folder.rmdir()

    def _path(self, index: int) -> Path:
        return self.folder / f"part-{index:06d}.npz"

    def _mark(self, index: int) -> str:
        return f"part {index} of {self.identity}"

    def _claim(self) -> None:
        """Make the folder this run's: parts of another run are removed, and that is said."""
        owner, own = self.folder / "identity", self.identity.encode()
        held = owner.read_bytes() if owner.exists() else None
        if held == own:
            return
        parts = sorted(self.folder.glob("part-*.npz"))
        if parts and self._is_own(0):
            _say(f"{owner} is damaged; it is written anew, since the parts are those of this run")
        else:
            if parts:
                _say(
                    f"{self.folder} holds {len(parts)} parts of a run of another structure, model or "
                    "settings; they are removed, and this run starts at its beginning"
                )
            for stale in self.folder.glob("*"):
                stale.unlink()
        with atomic_write(owner) as scratch:
            scratch.write_bytes(own)

    def _is_own(self, index: int) -> bool:
        try:
            self._state(index)
        except _Damaged:
            return False
        return True

    def _state(self, index: int) -> dict:
        """The state after a part; _Damaged for what is no part, or not this one."""
        held = self._read(index, "state", "state_positions", "state_momenta")
        try:
            state = json.loads(str(held["state"]))
        except (KeyError, ValueError, RecursionError) as error:
            raise _Damaged(f"no state in it: {error}") from error
        places = [held.get(f"state_{name}") for name in ("positions", "momenta")]
        if not isinstance(state, dict) or not all(_is_finite(values) for values in places):
            raise _Damaged("its state is not complete")
        return state | dict(zip(("positions", "momenta"), places, strict=True))

    def _read(self, index: int, *names: str) -> dict[str, np.ndarray]:
        """Arrays of a part, those of `names` that it has; _Damaged for what is no part, or not this one."""
        content = self._path(index).read_bytes()
        if content != sealed(content[:-SEAL]):
            raise _Damaged("its checksum is wrong")
        try:
            with np.load(io.BytesIO(content)) as part:
                mark = str(part["belongs"]) if "belongs" in part else None
                found = {name: part[name] for name in names if name in part}
        except Exception as error:  # whatever numpy stumbles over
            raise _Damaged(f"{type(error).__name__}: {error}") from error
        if mark != self._mark(index):
            raise _Damaged("it does not say that it is this part of this run")
        return found


def sealed(content: bytes) -> bytes:
    """A file's content with its hash behind it. The checksums of npz leave out what a file says of itself."""
    return content + f"sha256:{hashlib.sha256(content).hexdigest()}".encode()


class _Damaged(Exception):
    """A file that is not the part it should be."""


def _is_finite(values: np.ndarray | None) -> bool:
    return values is not None and values.dtype.kind in "fiu" and bool(np.isfinite(values).all())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _append(file: h5py.File, name: str, values: np.ndarray) -> None:
    if name not in file:
        data = file.create_dataset(
            name,
            values.shape,
            maxshape=(None, *values.shape[1:]),
            chunks=True,
            dtype=values.dtype,
            fletcher32=True,
        )
        data.attrs["unit"], data.attrs["description"] = QUANTITIES[name]
        data[:] = values
        return
    data = file[name]
    first = len(data)
    data.resize(first + len(values), axis=0)
    data[first:] = values
