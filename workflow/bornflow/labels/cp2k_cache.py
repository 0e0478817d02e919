"""Finished calculations, which are never repeated.

What is stored under the hash of its exact input, the data files it reads and the program's version is
never calculated again, whichever structure, batch or configuration asks for it.
"""

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ..io.files import locked, write_json
from .cp2k_output import Output
from .cp2k_program import Program


class Cache:
    """Finished calculations by their key, one JSON file each."""

    def __init__(self, directory: str | Path):
        self.directory = Path(directory)

    def path(self, key: str) -> Path:
        """Where the result of `key` is kept."""
        return self.directory / key[:2] / f"{key}.json"

    def load(self, key: str) -> dict | None:
        """What is stored under a key, or None; an entry that cannot be read is said and made again."""
        path = self.path(key)
        if not path.exists():
            return None
        try:
            stored = json.loads(path.read_text())
            stored["version"]  # every result has it
        except (ValueError, KeyError, TypeError):
            return self._damaged(key)
        return stored

    def _damaged(self, key: str) -> None:
        print(f"{self.path(key)} is damaged; this calculation is made again", file=sys.stderr, flush=True)

    def store(self, key: str, values: Mapping, wall: float) -> None:
        """Store values and the wall time [s] they took, whole or not at all."""
        write_json(self.path(key), {**values, "wall_s": round(wall, 2)})

    def get(self, key: str, atoms: int) -> Output | None:
        """The stored result of an energy-and-forces calculation of so many atoms, or None."""
        stored = self.load(key)
        if stored is None:
            return None
        try:
            output = Output(
                version=stored["version"],
                energy=float(stored["energy"]),
                forces=np.array(stored["forces"], float).reshape(atoms, 3),
                scf_steps=stored["scf_steps"],
                safe=stored.get("safe", False),
                wall=stored["wall_s"],
            )
        except (ValueError, KeyError, TypeError):
            return self._damaged(key)
        if not (np.isfinite(output.energy) and np.isfinite(output.forces).all()):
            return self._damaged(key)
        return output

    def put(self, key: str, output: Output) -> None:
        """Store the result of an energy-and-forces calculation."""
        values = {
            "version": output.version,
            "energy": output.energy,
            "forces": output.forces.tolist(),
            "scf_steps": output.scf_steps,
            "safe": output.safe,
        }
        self.store(key, values, output.wall)


def once(
    program: Program,
    cache: Cache,
    workdir: Path,
    text: str,
    work: Callable[[Path], tuple[dict, float]],
) -> dict:
    """What `work` makes of an input: from the cache, or made now in a folder of its own under `workdir`.

    `work` takes that folder, which is there again if the last attempt was killed, and returns values that
    JSON can hold and the wall time [s]. The input is checked first; the folder goes when the values are
    stored.
    """
    key = program.key(text)
    directory = Path(workdir) / key[:16]
    with locked(directory):
        stored = cache.load(key)
        if stored is None:
            program.check(text, directory)
            values, wall = work(directory)
            stored = {**values, "version": program.version}
            cache.store(key, stored, wall)
        shutil.rmtree(directory, ignore_errors=True)
    return stored
