"""From what a file of any program holds to a frame under bornflow's keys (`quantities.py`).

Which keys labels are taken from is decided for a whole file; values, weights, units and the identity of a
structure are then checked frame by frame.
"""

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from ..errors import BornflowError
from . import comment, dialects, extxyz
from .quantities import FORCES, LABELS, MAPPED, TEXTS, Quantity, attach, kind


def keys_of(path: Path, raw: Sequence[extxyz.Frame], keys: Mapping[str, str]) -> dict[str, str]:
    """The key of the file that each label stands under; raises BornflowError where that is not clear."""
    if all(MAPPED in frame.info for frame in raw):
        return {key: key for key in LABELS}  # bornflow wrote the file
    used = {
        key for key, source in keys.items() if any(source in (*frame.info, *frame.arrays) for frame in raw)
    }
    if not used and all("label_hash" in frame.info for frame in raw):
        keys = {}  # bornflow labelled the frames, the keys are meant for other files
    found: dict[str, Counter] = {quantity: Counter() for quantity in LABELS}
    for frame in raw:
        for key in (*frame.info, *frame.arrays):
            quantity = dialects.meaning(key)
            if quantity in found and (key in frame.info) == (LABELS[quantity].shape is None):
                found[quantity][key] += 1
    taken = {}
    for quantity, names in found.items():
        taken[quantity] = keys.get(quantity) or _own_key(path, quantity, names, raw)
        if quantity in keys and quantity not in used and names:
            raise BornflowError(
                f"{path}: no frame has '{keys[quantity]}' (training.keys.{quantity}), but "
                f"'{next(iter(names))}' is there; correct training.keys, or rename the key in this file"
            )
    return taken


def _own_key(path: Path, quantity: str, found: Counter, raw: Sequence[extxyz.Frame]) -> str:
    """bornflow's key if it is there, else the one known name that is."""
    others = {key: times for key, times in found.items() if key != quantity}
    if not others:
        return quantity
    if quantity in found:
        only = sum(
            quantity not in {**frame.info, **frame.arrays}
            and bool(set(others) & {*frame.info, *frame.arrays})
            for frame in raw
        )
        if not only:
            say(
                f"{path}: '{quantity}' is used, {', '.join(others)} is not (training.keys.{quantity} may "
                "name another)"
            )
            return quantity
        found = Counter({**others, quantity: found[quantity]})
    elif len(others) == 1:
        key = next(iter(others))
        say(f"{path}: {quantity} is taken from '{key}' ({others[key]} of {len(raw)} frames)")
        return key
    held = ", ".join(f"'{key}' in {times}" for key, times in found.items())
    raise BornflowError(
        f"{path}: {quantity} may stand under several keys ({held} of {len(raw)} frames); name one in "
        f"training.keys.{quantity}, frames without it are masked"
    )


def say(text: str) -> None:
    print(text, file=sys.stderr)


def normalise(
    frame: extxyz.Frame, called: str, keys: Mapping[str, str], sources: set[str], unused: set[str]
) -> Atoms:
    """A frame with bornflow's keys; `keys` are those that its labels stand under.

    Keys that labels were taken from are added to `sources`, weights that mean nothing here to `unused`.
    """
    info, arrays, atoms = frame.info, frame.arrays, frame.atoms
    place = f"{frame.place} ({info.get('structure') or called})"
    try:
        off, weights = dialects.masked(info, arrays)
        unused.update(weights)
    except comment.Malformed as error:
        raise BornflowError(f"{place}: {error}") from None
    if unit := dialects.foreign_unit(info):
        raise BornflowError(
            f"{place}: '{unit[0]}={info[unit[0]]}' found, {unit[1]} is expected; convert the file and that "
            "key"
        )
    labels: dict[str, Any] = {}
    for key, source in keys.items():
        value = _label(frame, LABELS[key], source, place)
        if source != key:
            for held in (info, arrays):  # what has bornflow's name is of another kind
                if key in held:
                    held[f"other_{key}"] = held.pop(key)
        if value is None or key in off:
            continue
        labels[key] = value
        sources.add(source)
    mapped = " ".join(f"{key}={source}" for key, source in keys.items() if source != key)
    if mapped:
        info[MAPPED] = mapped
    atoms.info = {
        key: comment.text(text) if key in TEXTS else comment.value(key, text) for key, text in info.items()
    }
    for key, values in arrays.items():
        atoms.set_array({"charge": "charges"}.get(key, key), values)
    new = attach(atoms, labels)
    _identify(new, called, place)
    new.origin = f"{frame.place}, line {frame.line}"
    return new


def _label(frame: extxyz.Frame, quantity: Quantity, source: str, place: str) -> float | np.ndarray | None:
    """The label under `source`, taken out of the frame; None where it is missing or NaN throughout."""
    held, other = frame.info, frame.arrays
    if quantity.shape is not None:
        held, other = other, held
    if source in other and source not in held:
        raise BornflowError(
            f"{place}: '{source}' is in the {'columns' if quantity.shape is None else 'comment line'}; "
            f"{quantity.description} is expected "
            f"{'once a structure' if quantity.shape is None else 'for each atom'}"
        )
    value: Any = held.pop(source, None)
    if value is None or (isinstance(value, str) and value.strip().lower() in dialects.MISSING):
        return None
    size = 1 if quantity.shape is None else len(frame.atoms) * int(np.prod(quantity.shape))
    try:
        numbers = (
            np.array([comment.number(word) for word in value.split()]) if isinstance(value, str) else value
        )
        if numbers.dtype.kind not in "if":
            raise ValueError
    except ValueError:
        raise BornflowError(f"{place}: '{source}' is '{value}', not a number; remove or repair it") from None
    if numbers.size != size:
        raise BornflowError(
            f"{place}: '{source}' holds {numbers.size} numbers, {size} expected ({quantity.description}); "
            "check the key and the file's columns"
        )
    if np.isnan(numbers).all():
        return None
    if not np.isfinite(numbers).all():
        row = int(np.argmin(np.isfinite(numbers).reshape(len(numbers), -1).all(axis=1)))
        where = f" of atom {row}" if quantity.shape else ""
        raise BornflowError(
            f"{place}: '{source}'{where} is not finite; repair the frame, or write nan throughout where the "
            "label is missing"
        )
    if quantity.shape is None:
        return float(numbers[0])
    return numbers.astype(float).reshape(len(frame.atoms), *((3,) if quantity is FORCES else (9,)))


def _identify(atoms: Atoms, called: str, place: str) -> None:
    """Check and complete what `info` says of the structure itself."""
    info = atoms.info
    info["structure"] = info.get("structure") or called
    for key, least, most in (
        ("n_molecules", 1, len(atoms)),
        ("charge", -sum(atoms.numbers), sum(atoms.numbers)),
        ("multiplicity", 1, 1 + sum(atoms.numbers)),
    ):
        if key not in info:
            continue
        found = info[key]
        number = isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)
        if not number or found != int(found) or not least <= found <= most:
            raise BornflowError(
                f"{place}: {key}={found} found; an integer from {least} to {most} is expected"
            )
        info[key] = int(found)
    actual, said = kind(atoms, place), info.get("kind")
    if said in ("cluster", "bulk") and said != actual:
        raise BornflowError(
            f"{place}: kind={said} found, but the frame is "
            f"{'isolated' if actual == 'cluster' else 'periodic'}; correct Lattice and pbc, or remove kind"
        )
    info["kind"] = actual
