"""Finished calculations, which are never repeated.

What is stored under the hash of its exact input, the data files it reads and the program's version is
never calculated again, whichever structure, batch or configuration asks for it.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ....errors import BornflowError
from ....io import documents
from ....io.files import locked, write_json
from .output_file import Output
from .program import Program

EXTRA = {"safe": bool, "key": str, "sha256": str}  # entries of before have not all of them


class Cache:
    """Finished calculations by their key, one JSON file each."""

    def __init__(self, directory: str | Path):
        self.directory = Path(directory)

    def path(self, key: str) -> Path:
        """Where the result of `key` is kept."""
        return self.directory / key[:2] / f"{key}.json"

    def load(self, key: str, shapes: Mapping[str, tuple[int, ...]]) -> dict | None:
        """What is stored under a key, or None; an entry that is odd or damaged is said and made again.

        `shapes` are those of its arrays, by name; each is nested lists of finite numbers. Beside them an
        entry has the `version` of the program and the wall time, and nothing else but EXTRA.
        """
        path = self.path(key)
        if not path.exists():
            return None
        try:
            stored = documents.read_json(path, {"version": str, "wall_s": float}, "it is made again")
            _check(stored, key, shapes)
        except (BornflowError, ValueError) as error:
            print(f"{path} is damaged; this calculation is made again ({error})", file=sys.stderr, flush=True)
            return None
        return stored

    def store(self, key: str, values: Mapping, wall: float) -> None:
        """Store values and the wall time [s] they took, whole or not at all, with a checksum."""
        entry = {**values, "wall_s": round(wall, 2), "key": key}
        write_json(self.path(key), {**entry, "sha256": _sha256(entry)})

    def get(self, key: str, atoms: int) -> Output | None:
        """The stored result of an energy-and-forces calculation of so many atoms, or None."""
        stored = self.load(key, {"energy": (), "forces": (atoms, 3), "scf_steps": ()})
        if stored is None:
            return None
        return Output(
            version=stored["version"],
            energy=float(stored["energy"]),
            forces=np.array(stored["forces"], float),
            scf_steps=stored["scf_steps"],
            safe=stored.get("safe", False),
            wall=stored["wall_s"],
        )

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
    shapes: Mapping[str, tuple[int, ...]],
) -> dict:
    """What `work` makes of an input: from the cache, or made now in a folder of its own under `workdir`.

    `work` takes that folder, which is there again if the last attempt was killed, and returns values that
    JSON can hold and the wall time [s]. `shapes` are those of the values' arrays, by which a stored result
    is checked. The input is checked first; the folder goes when the values are
    stored.
    """
    key = program.key(text)
    directory = Path(workdir) / key[:16]
    with locked(directory):
        stored = cache.load(key, shapes)
        if stored is None:
            program.check(text, directory)
            values, wall = work(directory)
            stored = {**values, "version": program.version}
            cache.store(key, stored, wall)
        shutil.rmtree(directory, ignore_errors=True)
    return stored


def _check(stored: Mapping, key: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ValueError unless this is an entry of that key with such arrays."""
    wanted = {"version", "wall_s", *shapes}
    odd = (set(stored) - set(EXTRA)) ^ wanted
    if odd:
        raise ValueError(f"missing or unknown in it: {', '.join(sorted(odd))}")
    for name, kind in EXTRA.items():
        if name in stored and not isinstance(stored[name], kind):
            raise ValueError(f"{name} is {stored[name]!r}")
    if stored.get("key", key) != key:
        raise ValueError(f"it is of the calculation {stored['key']}")
    if not stored["version"] or stored["wall_s"] < 0:
        raise ValueError(f"version is {stored['version']!r}, wall_s is {stored['wall_s']}")
    for name, shape in shapes.items():
        if not _has_shape(stored[name], shape):
            raise ValueError(f"{name} has not the shape {shape}, or values that are no numbers")
    steps = stored.get("scf_steps", 1)
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(f"scf_steps are {steps!r}")
    entry = {name: value for name, value in stored.items() if name != "sha256"}
    if "sha256" in stored and stored["sha256"] != _sha256(entry):
        raise ValueError("its checksum is wrong")


def _has_shape(value, shape: tuple[int, ...]) -> bool:
    """Whether these are lists of lists of that shape, of numbers."""
    if not shape:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return (
        isinstance(value, list)
        and len(value) == shape[0]
        and all(_has_shape(item, shape[1:]) for item in value)
    )


def _sha256(entry: Mapping) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
