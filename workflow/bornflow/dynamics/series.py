"""The reader of finished runs: one HDF5 file with the time series and attributes of `quantities`.

An unfinished run is a folder of `chunks`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from ..errors import BornflowError
from ..io import hdf5
from .quantities import ATTRIBUTES, FIXED, INTERVALS, PER_ATOM, QUANTITIES, SERIES

REMEDY = "make the run again with dynamics.md"


def read_run(
    path: str | Path, *names: str, optional: Sequence[str] = ()
) -> tuple[hdf5.Attributes, dict[str, np.ndarray]]:
    """The attributes of a run's HDF5 file and the series `names`, and those of `optional` that it contains.

    Names, units and shapes are those of `quantities`. Raises BornflowError for a file that is not HDF5 or is
    truncated, for a series that is missing, has another unit, shape or length, or values that are not
    finite, and for an attribute with an invalid value. A missing attribute raises when it is looked up.
    """
    with hdf5.open_file(path, REMEDY) as file:
        attributes = hdf5.read_attributes(file, ATTRIBUTES, REMEDY)
        volume = attributes.get("volume [Å³]", 1.0)
        if attributes.get("kind") == "bulk" and not volume > 0:
            raise BornflowError(
                f"{path}: attribute 'volume [Å³]' is {volume}, a number above 0 expected for a bulk; {REMEDY}"
            )
        missing = [name for name in names if name not in file]
        if missing:
            raise BornflowError(f"{path} contains no {', '.join(missing)}; {REMEDY}")
        present = [name for name in (*names, *optional) if name in file]
        rules = SERIES | FIXED
        data = {name: hdf5.find_dataset(file, name, rules[name], REMEDY) for name in present}
        _check_lengths(file, attributes, present)
        return attributes, {name: hdf5.read_values(data[name], name, rules[name], REMEDY) for name in present}


def _check_lengths(file: h5py.File, attributes: hdf5.Attributes, present: Sequence[str]) -> None:
    """Raise BornflowError unless all series have the same numbers of steps, frames and atoms."""
    path = file.filename
    lengths = {name: file[name].shape[0] for name in QUANTITIES if _is_series(file, name)}
    every_step = {name: length for name, length in lengths.items() if name not in INTERVALS}
    if len(set(every_step.values())) > 1:
        raise BornflowError(f"{path}: series of every step differ in length ({_list(every_step)}); {REMEDY}")
    steps = next(iter(every_step.values()), None)
    if steps == 0:
        raise BornflowError(f"{path} contains no steps; {REMEDY}")
    for name, interval in INTERVALS.items():
        if name not in lengths or steps is None or not (name in present or interval in attributes):
            continue
        expected = steps // int(attributes[interval])
        if lengths[name] != expected:
            raise BornflowError(
                f"{path}: {name} has {lengths[name]} values, {expected} expected for {steps} steps, one "
                f"every {attributes[interval]}; {REMEDY}"
            )
    atoms = {name: file[name].shape[1] for name in PER_ATOM if name in present}
    atoms |= {name: file[name].shape[0] for name in ("numbers", "masses") if _is_series(file, name)}
    if len(set(atoms.values())) > 1 or 0 in atoms.values():
        raise BornflowError(f"{path}: numbers of atoms differ or are 0 ({_list(atoms)}); {REMEDY}")
    if "cell" in present and file["cell"].shape[0] != 3:
        raise BornflowError(f"{path}: cell has the shape {file['cell'].shape}, (3, 3) expected; {REMEDY}")


def _is_series(file: h5py.File, name: str) -> bool:
    return name in file and isinstance(file[name], h5py.Dataset) and bool(file[name].shape)


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
