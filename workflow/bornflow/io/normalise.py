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
from ..identity import kind
from . import comment, dialects, extxyz
from .quantities import FORCES, LABELS, MAPPED, TEXTS, Quantity, attach

NEARLY = 1e-3  # how far a total charge may be from an integer


def keys_of(path: Path, raw: Sequence[extxyz.Frame], keys: Mapping[str, str]) -> list[dict[str, str]]:
    """The key that each label stands under, for each frame; BornflowError where that is not clear.

    Frames that bornflow has read and written before have its own keys.
    """
    own = {key: key for key in LABELS}
    foreign = [frame for frame in raw if MAPPED not in frame.info]
    taken = _keys_of_foreign(path, foreign, keys) if foreign else own
    return [own if MAPPED in frame.info else taken for frame in raw]


def _keys_of_foreign(path: Path, raw: Sequence[extxyz.Frame], keys: Mapping[str, str]) -> dict[str, str]:
    """The key that each label stands under in frames of another program, the same for a whole file."""
    if twice := [source for source, times in Counter(keys.values()).items() if times > 1]:
        raise BornflowError(f"training.keys: '{twice[0]}' is named for two labels; each has a key of its own")
    used = {key for key, source in keys.items() if any(_has(frame, source) for frame in raw)}
    if not used and all("label_hash" in frame.info for frame in raw):
        keys = {}  # bornflow labelled the frames, the keys are meant for other files
    found: dict[str, Counter] = {quantity: Counter() for quantity in LABELS}
    for frame in raw:
        for quantity in LABELS:
            found[quantity].update(key for key in _held(frame, quantity) if dialects.meaning(key) == quantity)
    taken = {}
    for quantity, names in found.items():
        taken[quantity] = keys.get(quantity) or _own_key(path, quantity, names, raw)
        if quantity in keys and quantity not in used and names:
            raise BornflowError(
                f"{path}: no frame has '{keys[quantity]}' (training.keys.{quantity}), but "
                f"'{next(iter(names))}' is there; correct training.keys, or rename the key in this file"
            )
        _look_for_lost(path, raw, quantity, taken[quantity], quantity in keys)
    return taken


def _held(frame: extxyz.Frame, quantity: str) -> Mapping[str, Any]:
    """Where a label of that kind is in a frame: the comment line or the columns."""
    return frame.info if LABELS[quantity].shape is None else frame.arrays


def _has(frame: extxyz.Frame, key: str) -> bool:
    return key in frame.info or key in frame.arrays


def _look_for_lost(
    path: Path, raw: Sequence[extxyz.Frame], quantity: str, source: str, is_mapped: bool
) -> None:
    """Say which keys may be meant where a label is missing; BornflowError where other frames have it."""
    without = [frame for frame in raw if not _has(frame, source)]
    for frame in without:
        alike = dialects.resembling(_held(frame, quantity), quantity)
        if not alike:
            continue
        named = ", ".join(f"'{key}'" for key in alike)
        if is_mapped or len(without) == len(raw):
            _say_masked(path, quantity, source, len(without), len(raw), named)
            return
        raise BornflowError(
            f"{frame.place}, line {frame.line}: no '{source}', which other frames have, but {named}; rename "
            f"or remove it, or name the key of all frames in training.keys.{quantity}"
        )


def _say_masked(path: Path, quantity: str, source: str, count: int, total: int, named: str) -> None:
    say(
        f"{path}: {count} of {total} frames have no '{source}' and so no {quantity}, but {named} "
        f"(training.keys.{quantity} names a key)"
    )


def _own_key(path: Path, quantity: str, found: Counter, raw: Sequence[extxyz.Frame]) -> str:
    """bornflow's key if it is there, else the one known name that is."""
    others = {key: times for key, times in found.items() if key != quantity}
    if not others:
        return quantity
    if quantity in found:
        only = sum(
            not _has(frame, quantity) and bool(set(others) & {*frame.info, *frame.arrays}) for frame in raw
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
    _take_charge(info, place)
    atoms.info = {
        key: comment.text(text) if key in TEXTS else comment.value(key, text) for key, text in info.items()
    }
    for key, values in arrays.items():
        # ASE writes `charges` as `charge`; columns that are called like those of the structure are not it.
        other = {"charge": "charges", "numbers": "other_numbers", "positions": "other_positions"}.get(
            key, key
        )
        atoms.set_array(key if other in arrays else other, values)
    new = attach(atoms, labels)
    _identify(new, called, place)
    new.origin = f"{frame.place}, line {frame.line}"
    return new


def _take_charge(info: dict[str, str], place: str) -> None:
    """Bring total charge and multiplicity under their keys, whatever a program calls them."""
    given: dict[str, str] = {}
    for key, ours in dialects.total_charge(info).items():
        # A flag is what ASE makes of None.
        if dialects.is_missing(info[key]) or info[key] == "T":
            continue
        if given.setdefault(ours, info[key]) != info[key]:
            raise BornflowError(f"{place}: {ours} is {given[ours]} and, as '{key}', {info[key]}; keep one")
    for key in ("charge", "multiplicity"):
        info.pop(key, None)
    info.update(given)


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
        shown = value if isinstance(value, str) else value.ravel()[0]
        raise BornflowError(f"{place}: '{source}' is '{shown}', not a number; remove or repair it") from None
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
        if not number or abs(found - round(found)) > NEARLY or not least <= round(found) <= most:
            raise BornflowError(
                f"{place}: {key}={found} found; an integer from {least} to {most} is expected"
            )
        info[key] = round(found)
    actual, said = kind(atoms, place), info.get("kind")
    if said in ("cluster", "bulk") and said != actual:
        raise BornflowError(
            f"{place}: kind={said} found, but the frame is "
            f"{'isolated' if actual == 'cluster' else 'periodic'}; correct Lattice and pbc, or remove kind"
        )
    info["kind"] = actual
