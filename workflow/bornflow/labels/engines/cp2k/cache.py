"""Finished calculations, stored on disk so that they are never repeated.

A result is stored under the hash of its exact input, the data files that CP2K reads and CP2K's version.
All structures, batches and configurations with the same hash share this result.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import BornflowError
from ....io import documents
from ....io.files import locked, write_json
from .output_file import Output
from .program import Program

logger = logging.getLogger(__name__)

# Entries of earlier versions lack some of these.
EXTRA = {"safe": bool, "key": str, "sha256": str, "dipole": list}
Shapes = Mapping[str, tuple[int, ...]]  # of the arrays of an entry, by name; () is a number


class Cache:
    """Finished calculations by their key, one JSON file each."""

    def __init__(self, directory: str | Path):
        self.directory = Path(directory)

    def path(self, key: str) -> Path:
        """The file with the result of `key`."""
        return self.directory / key[:2] / f"{key}.json"

    def load(self, key: str, shapes: Shapes) -> dict[str, Any] | None:
        """The entry stored under a key; None if there is none or, with a warning, if it is damaged.

        Its arrays are nested lists of finite numbers with these `shapes`. Its other entries are the
        `version` of the program, the wall time, and those of EXTRA.
        """
        path = self.path(key)
        if not path.exists():
            return None
        try:
            stored = documents.read_json(path, {"version": str, "wall_s": float}, "it is made again")
            _check(stored, key, shapes)
        except (BornflowError, ValueError) as error:
            logger.warning("%s is damaged; this calculation is made again (%s)", path, error)
            return None
        return stored

    def store(self, key: str, values: Mapping[str, Any], wall: float) -> None:
        """Store values, the wall time [s] that they took and a checksum; a kill leaves no partial entry."""
        entry = {**values, "wall_s": round(wall, 2), "key": key}
        write_json(self.path(key), {**entry, "sha256": _sha256(entry)})

    def get(self, key: str, atoms: int) -> Output | None:
        """The stored energy and forces of a structure of `atoms` atoms, or None."""
        stored = self.load(key, {"energy": (), "forces": (atoms, 3), "scf_steps": ()})
        if stored is None:
            return None
        dipole = stored.get("dipole")
        return Output(
            version=stored["version"],
            energy=float(stored["energy"]),
            forces=np.array(stored["forces"], float),
            scf_steps=stored["scf_steps"],
            dipole=None if dipole is None else np.array(dipole, float),
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
        if output.dipole is not None:
            values["dipole"] = output.dipole.tolist()
        self.store(key, values, output.wall)


def once(
    program: Program,
    cache: Cache,
    workdir: Path,
    text: str,
    work: Callable[[Path], tuple[dict[str, Any], float]],
    shapes: Shapes,
) -> dict[str, Any]:
    """The result of `work` for an input, from the cache or calculated now in a folder under `workdir`.

    `work` takes that folder and returns values that JSON can represent and the wall time [s]. After an
    interruption the folder still contains the files of the last attempt. A stored result must have arrays of
    these `shapes`. CP2K's parser checks the input first; the folder is deleted once the values are stored.
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


def _check(stored: Mapping[str, Any], key: str, shapes: Shapes) -> None:
    """Raise ValueError unless this is an entry for that key, with arrays of these shapes."""
    unexpected = (set(stored) - set(EXTRA)) ^ {"version", "wall_s", *shapes}
    if unexpected:
        raise ValueError(f"missing or unknown keys: {', '.join(sorted(unexpected))}")
    for name, kind in EXTRA.items():
        if name in stored and not isinstance(stored[name], kind):
            raise ValueError(f"{name} is {stored[name]!r}")
    if stored.get("key", key) != key:
        raise ValueError(f"it belongs to the calculation {stored['key']}")
    if not stored["version"] or stored["wall_s"] < 0:
        raise ValueError(f"version is {stored['version']!r}, wall_s is {stored['wall_s']}")
    optional = {"dipole": (3,)} if "dipole" in stored else {}
    for name, shape in {**shapes, **optional}.items():
        if not _has_shape(stored[name], shape):
            raise ValueError(f"{name} does not have the shape {shape}, or has values that are not numbers")
    steps = stored.get("scf_steps", 1)
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(f"scf_steps is {steps!r}")
    entry = {name: value for name, value in stored.items() if name != "sha256"}
    if "sha256" in stored and stored["sha256"] != _sha256(entry):
        raise ValueError("its checksum is wrong")


def _has_shape(value: Any, shape: tuple[int, ...]) -> bool:
    """Whether `value` consists of nested lists of numbers with that shape."""
    if not shape:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return (
        isinstance(value, list)
        and len(value) == shape[0]
        and all(_has_shape(item, shape[1:]) for item in value)
    )


def _sha256(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
