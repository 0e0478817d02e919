"""What a run is asked for, checked before a model is loaded and compiled, and what makes it that run."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ase import Atoms

from ..errors import BornflowError

FORMAT = 4  # of the parts of a run; those of another one are not gone on from
SEEDS = 2**32  # seeds lie below, as those of most generators of random numbers do
OWN_FILES = ("identity", "part-")  # how names begin in the folder of a run's parts; scratch files have a dot


def check_seed(seed: int) -> None:
    """Raise BornflowError for a seed that random numbers cannot have."""
    if not 0 <= seed < SEEDS:
        raise BornflowError(f"--seed is {seed}; choose a whole number from 0 to {SEEDS - 1}")


def check_output(out: str | Path, structure: str | Path) -> None:
    """Raise BornflowError for an `out` [HDF5] that cannot be written, or that would overwrite other data.

    Beside it a run writes a folder of parts and the frames of a failure, which must not be the start
    `structure` or hold anything else.
    """
    out, structure = Path(out), Path(structure)
    if out.suffix != ".h5":
        raise BornflowError(f"--out is {out}; a run is written as HDF5, to a file whose name ends in .h5")
    if out.is_dir():
        raise BornflowError(f"--out is {out}, which is a folder; choose the name of a file")
    parts, failed = out.with_suffix(".parts"), out.with_suffix(".failed.extxyz")
    for path in (out, failed):
        if path.exists() and structure.exists() and path.samefile(structure):
            raise BornflowError(
                f"--out is {out}: {path}, the start structure, would be overwritten; choose another"
            )
    if failed.is_dir():
        raise BornflowError(f"{failed} is a folder; the last frames of a failed run go there: move it away")
    if parts.exists() and not parts.is_dir():
        raise BornflowError(
            f"{parts} is a file; the parts of the run are kept in a folder there: move it away"
        )
    strange = [path.name for path in parts.glob("*") if not path.name.startswith((*OWN_FILES, "."))]
    if strange:
        raise BornflowError(
            f"{parts} holds {strange[0]}, which is no part of a run and would be removed by one: move it away"
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
        if parts.exists() and not os.access(parts, os.W_OK | os.X_OK):
            raise PermissionError(f"{parts} cannot be written to")
    except OSError as error:
        raise BornflowError(
            f"--out is {out}, but nothing can be written to {out.parent} ({error.strerror or error}); choose "
            "another folder"
        ) from error


def identity(atoms: Atoms, options: Mapping, seed: int, model: bytes) -> str:
    """The hash of all that makes a run: its start with masses, options, seed and the hash of its `model`."""
    digest = hashlib.sha256(json.dumps([FORMAT, options, seed], sort_keys=True).encode())
    for values in (atoms.positions, atoms.numbers, atoms.get_masses(), atoms.cell.array, atoms.pbc):
        digest.update(values.tobytes())
    digest.update(model)
    return digest.hexdigest()
