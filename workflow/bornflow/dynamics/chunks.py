"""Chunks of an unfinished run: files on disk that survive a kill and from which the run resumes.

Every chunk is one file in a folder next to the run's HDF5 file. It is written completely or not at all, and
contains the series of some steps and the state after them. When the run is finished, `Chunks.join` writes
all chunks to the HDF5 file and removes the folder.

Each chunk carries a checksum, its index and the identity of its run, so that a damaged chunk, or a chunk of
another run, is detected, reported and computed again.
"""

import hashlib
import io
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from ase import Atoms

from ..errors import BornflowError
from ..io.files import atomic_write
from .quantities import FIXED, QUANTITIES
from .settings import SystemSettings

logger = logging.getLogger(__name__)

FORMAT = 4  # of the chunks; a run does not resume from chunks of another format
CHECKSUM_LENGTH = 71  # bytes at the end of a file, see `with_checksum`
TIMING_KEYS = ("atoms", "seconds", "beside")  # of `dynamics.timing`, in the identity of a run
STATE_ARRAYS = ("positions", "momenta")  # stored as arrays; the rest of the state is JSON


def run_identity(atoms: Atoms, settings: SystemSettings, seed: int, model: bytes) -> str:
    """The hash that ties chunks to a run: over start structure and masses, settings, seed and model hash."""
    described = settings.to_dict()
    # Bands and timing have no effect on a run. These keys of `timing` stay, so that unfinished runs keep
    # their identity.
    described.pop("bands")
    described["timing"] = {key: described["timing"][key] for key in TIMING_KEYS}
    digest = hashlib.sha256(json.dumps([FORMAT, described, seed], sort_keys=True).encode())
    for values in (atoms.positions, atoms.numbers, atoms.get_masses(), atoms.cell.array, atoms.pbc):
        digest.update(values.tobytes())
    digest.update(model)
    return digest.hexdigest()


@dataclass
class Chunks:
    """The folder of finished chunks of one run, tied to that run by `identity`."""

    folder: Path
    identity: str
    count: int = field(default=0, init=False)

    def resume(self) -> dict[str, Any] | None:
        """The state after the last intact chunk, or None if there is no such chunk.

        A damaged chunk and all after it are removed with a warning; the run computes them again.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._claim_folder()
        state, self.count = None, 0
        while self._path(self.count).exists():
            try:
                next_state = self._read_state(self.count)
            except _Damaged as error:
                restart = f"resumes after chunk {self.count - 1}" if self.count else "starts again"
                logger.warning("%s is damaged (%s); the run %s", self._path(self.count), error, restart)
                break
            state = next_state
            self.count += 1
        for path in sorted(self.folder.glob("part-*.npz")):
            if path not in map(self._path, range(self.count)):
                logger.warning("%s is removed; this chunk of the run is computed again", path)
                path.unlink()
        return state

    def append(self, series: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> None:
        """Store the series of one chunk and the state after it."""
        arrays: dict[str, Any] = {f"state_{name}": state[name] for name in STATE_ARRAYS}
        plain = {name: value for name, value in state.items() if name not in STATE_ARRAYS}
        content = io.BytesIO()
        arrays |= series
        np.savez(content, state=json.dumps(plain), belongs=self._label(self.count), **arrays)
        with atomic_write(self._path(self.count)) as scratch:
            scratch.write_bytes(with_checksum(content.getvalue()))
        self.count += 1

    def join(self, out: Path, attributes: Mapping[str, Any], atoms: Mapping[str, np.ndarray]) -> None:
        """Write all chunks to one HDF5 file and remove the folder.

        `atoms` are the datasets of `quantities.FIXED`. HDF5 stores a checksum of every block, so that reading
        a damaged block fails. Raises BornflowError if a chunk is damaged.
        """
        with atomic_write(out) as scratch, h5py.File(scratch, "w", locking=False) as file:
            file.attrs.update(attributes)
            for name, values in atoms.items():
                file.create_dataset(name, data=values, chunks=True, fletcher32=True)
                if name in FIXED and FIXED[name].unit is not None:
                    file[name].attrs["unit"] = FIXED[name].unit
            for index in range(self.count):
                try:
                    series = self._read(index, *QUANTITIES)
                except _Damaged as error:
                    raise BornflowError(
                        f"{self._path(index)} is damaged ({error}); run again: the run resumes after the "
                        "chunk before it"
                    ) from error
                for name, values in series.items():
                    _append(file, name, values)
        for path in self.folder.glob("*"):
            path.unlink()
        self.folder.rmdir()

    def _path(self, index: int) -> Path:
        return self.folder / f"part-{index:06d}.npz"

    def _label(self, index: int) -> str:
        """The label stored in a chunk: its index and its run."""
        return f"part {index} of {self.identity}"

    def _claim_folder(self) -> None:
        """Claim the folder for this run; chunks of another run are removed with a warning."""
        path, identity = self.folder / "identity", self.identity.encode()
        stored = path.read_bytes() if path.exists() else None
        if stored == identity:
            return
        chunks = sorted(self.folder.glob("part-*.npz"))
        if chunks and self._is_intact(0):
            logger.warning("%s is damaged; it is written again, since the chunks belong to this run", path)
        else:
            if chunks:
                logger.warning(
                    "%s contains %d chunks of a run with another structure, model or settings; they are "
                    "removed, and this run starts from its first step",
                    self.folder,
                    len(chunks),
                )
            for file in self.folder.glob("*"):
                file.unlink()
        with atomic_write(path) as scratch:
            scratch.write_bytes(identity)

    def _is_intact(self, index: int) -> bool:
        try:
            self._read_state(index)
        except _Damaged:
            return False
        return True

    def _read_state(self, index: int) -> dict[str, Any]:
        """The state after a chunk. Raises _Damaged if the file is not this chunk."""
        stored = self._read(index, "state", *(f"state_{name}" for name in STATE_ARRAYS))
        try:
            state = json.loads(str(stored["state"]))
        except (KeyError, ValueError, RecursionError) as error:
            raise _Damaged(f"it contains no state: {error}") from error
        arrays = {name: stored.get(f"state_{name}") for name in STATE_ARRAYS}
        if not isinstance(state, dict) or not all(_is_finite(values) for values in arrays.values()):
            raise _Damaged("its state is not complete")
        return state | arrays

    def _read(self, index: int, *names: str) -> dict[str, np.ndarray]:
        """The arrays among `names` that a chunk contains. Raises _Damaged if the file is not this chunk."""
        content = self._path(index).read_bytes()
        if content != with_checksum(content[:-CHECKSUM_LENGTH]):
            raise _Damaged("its checksum is wrong")
        try:
            with np.load(io.BytesIO(content)) as archive:
                label = str(archive["belongs"]) if "belongs" in archive else None
                arrays = {name: archive[name] for name in names if name in archive}
        except Exception as error:  # numpy raises many kinds
            raise _Damaged(f"{type(error).__name__}: {error}") from error
        if label != self._label(index):
            raise _Damaged("its label names another chunk or another run")
        return arrays


def with_checksum(content: bytes) -> bytes:
    """A file's content followed by its hash. The checksums of npz do not cover the tables of the archive."""
    return content + f"sha256:{hashlib.sha256(content).hexdigest()}".encode()


class _Damaged(Exception):
    """A file that does not contain the expected chunk."""


def _is_finite(values: np.ndarray | None) -> bool:
    return values is not None and values.dtype.kind in "fiu" and bool(np.isfinite(values).all())


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
