"""Checks of a run's arguments, made before a model is loaded and compiled."""

import os
import tempfile
from pathlib import Path

from ..errors import BornflowError

SEEDS = 2**32  # seeds are smaller, as for most random number generators
# First letters of names in the folder of chunks; scratch files begin with a dot.
CHUNK_FILES = ("identity", "part-")


def check_seed(seed: int) -> None:
    """Raise BornflowError for a seed that the random number generator does not accept."""
    if not 0 <= seed < SEEDS:
        raise BornflowError(f"--seed is {seed}; choose an integer from 0 to {SEEDS - 1}")


def check_output(out: str | Path, structure: str | Path) -> None:
    """Raise BornflowError if `out` [HDF5] cannot be written or other data would be overwritten.

    Next to `out` a run writes a folder of chunks, and the last frames if it fails. These must not overwrite
    the start `structure`, and the folder must not contain other files.
    """
    out, structure = Path(out), Path(structure)
    if out.suffix != ".h5":
        raise BornflowError(f"--out is {out}; a run is written as HDF5, to a file whose name ends in .h5")
    if out.is_dir():
        raise BornflowError(f"--out is {out}, which is a folder; choose the name of a file")
    failed = out.with_suffix(".failed.extxyz")
    for path in (out, failed):
        if path.exists() and structure.exists() and path.samefile(structure):
            raise BornflowError(
                f"--out is {out}: {path}, the start structure, would be overwritten; choose another name"
            )
    if failed.is_dir():
        raise BornflowError(f"{failed} is a folder; the last frames of a failed run go there: move it away")
    folder = out.with_suffix(".parts")
    _check_chunk_folder(folder)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(f"{folder} is not writable")
    except OSError as error:
        raise BornflowError(
            f"--out is {out}, but the folder {out.parent} is not writable ({error.strerror or error}); "
            "choose another folder"
        ) from error


def _check_chunk_folder(folder: Path) -> None:
    """Raise BornflowError if `folder` is a file, or contains files that no run wrote."""
    if folder.exists() and not folder.is_dir():
        raise BornflowError(
            f"{folder} is a file; a run needs a folder of this name for its chunks: move the file away"
        )
    foreign = [path.name for path in folder.glob("*") if not path.name.startswith((*CHUNK_FILES, "."))]
    if foreign:
        raise BornflowError(
            f"{folder} contains {foreign[0]}, which is no chunk of a run and would be removed: move it away"
        )
