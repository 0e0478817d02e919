"""Conversion of a frame of any program to bornflow's keys (`quantities.py`).

`label_keys.py` chooses the keys of the labels. This module checks values, weights, units and the identity of
a structure, frame by frame.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Float

from ..errors import BornflowError
from ..identity import kind, set_origin
from . import comment, dialects
from .extxyz import RawFrame
from .quantities import FORCES, LABELS, MAPPED_KEYS, TEXT_KEYS, Quantity, with_labels

INTEGER_TOLERANCE = 1e-3  # largest deviation of a total charge from an integer


def normalise(
    frame: RawFrame,
    default_name: str,
    keys: Mapping[str, str],
    sources: set[str],
    unused_weights: set[str],
    spins: set[str],
) -> Atoms:
    """The frame with bornflow's keys; `keys` are {label: key of the file}.

    Keys that labels were taken from are added to `sources`, weights that have no effect to `unused_weights`,
    and ambiguous keys of the spin to `spins`. Raises BornflowError for a value, a weight or a unit that is
    not understood.
    """
    info, atoms = frame.info, frame.atoms
    place = f"{frame.place} ({info.get('structure') or default_name})"
    masked, weights = dialects.masked_labels(info, frame.arrays, place)
    unused_weights.update(weights)
    if unit := dialects.foreign_unit(info):
        key, expected = unit
        raise BornflowError(
            f"{place}: '{key}={info[key]}' found, but {expected} is expected; convert the values, and "
            "correct this key"
        )
    labels = _pop_labels(frame, keys, place)
    labels = {key: value for key, value in labels.items() if key not in masked}
    sources.update(keys[key] for key in labels)
    mapped = " ".join(f"{key}={source}" for key, source in keys.items() if source != key)
    if mapped:
        info[MAPPED_KEYS] = mapped
    _rename_charge(info, place)
    if spin := dialects.ambiguous_spin(info, frame.arrays):
        spins.add(spin)
    atoms.info = {
        key: comment.parse_text(text) if key in TEXT_KEYS else comment.parse_value(key, text)
        for key, text in info.items()
    }
    _set_arrays(frame)
    labelled = with_labels(atoms, labels)
    _complete_identity(labelled, default_name, place)
    set_origin(labelled, str(frame.place))
    return labelled


def _set_arrays(frame: RawFrame) -> None:
    """Store the remaining columns in the atoms under ASE's names."""
    # ASE writes `charges` as `charge`. The other two names are those of the structure's own columns.
    renamed = {"charge": "charges", "numbers": "other_numbers", "positions": "other_positions"}
    for key, values in frame.arrays.items():
        name = renamed.get(key, key)
        frame.atoms.set_array(key if name in frame.arrays else name, values)


def _rename_charge(info: dict[str, str], place: str) -> None:
    """Bring total charge and multiplicity under bornflow's keys."""
    given: dict[str, str] = {}
    for key, standard in dialects.charge_keys(info).items():
        # ASE writes None as a flag.
        if dialects.is_missing(info[key]) or info[key] == "T":
            continue
        if given.setdefault(standard, info[key]) != info[key]:
            raise BornflowError(
                f"{place}: two values of {standard} found, {given[standard]} and {key}={info[key]}; keep one"
            )
    for key in ("charge", "multiplicity"):
        info.pop(key, None)
    info.update(given)


def _pop_labels(
    frame: RawFrame, keys: Mapping[str, str], place: str
) -> dict[str, float | Float[np.ndarray, "atoms _"]]:
    """The labels that the frame has, removed from its `info` and `arrays`."""
    labels = {}
    for key, source in keys.items():
        value = _pop_label(frame, LABELS[key], source, place)
        if source != key:  # then a value under bornflow's key has another meaning
            for values in (frame.info, frame.arrays):
                _rename_key(values, key, f"other_{key}")
        if value is not None:
            labels[key] = value
    return labels


def _rename_key(values: dict[str, Any], old: str, new: str) -> None:
    if old in values:
        values[new] = values.pop(old)


def _pop_label(
    frame: RawFrame, quantity: Quantity, source: str, place: str
) -> float | Float[np.ndarray, "atoms _"] | None:
    """The label under the key `source`, removed from the frame; None if it is missing or all NaN."""
    value = _pop_value(frame, quantity, source, place)
    if value is None or dialects.is_missing(value):
        return None
    numbers = _parse_numbers(value, source, place)
    size = 1 if quantity.shape is None else len(frame.atoms) * math.prod(quantity.shape)
    if numbers.size != size:
        raise BornflowError(
            f"{place}: '{source}' has {numbers.size} numbers instead of {size} "
            f"({quantity.description}); check the key and the file's columns"
        )
    if np.isnan(numbers).all():
        return None
    finite = np.isfinite(numbers).reshape(len(numbers), -1).all(axis=1)
    if not finite.all():
        atom = f" of atom {np.argmin(finite)}" if quantity.shape else ""
        raise BornflowError(
            f"{place}: '{source}'{atom} is not finite; correct it, or write only nan if the label is missing"
        )
    if quantity.shape is None:
        return float(numbers[0])
    return numbers.astype(float).reshape(len(frame.atoms), 3 if quantity is FORCES else 9)


def _pop_value(frame: RawFrame, quantity: Quantity, source: str, place: str) -> str | np.ndarray | None:
    """The text or the column under the key `source`; BornflowError if it is text and a column is expected."""
    if quantity.shape is None:
        if source in frame.arrays and source not in frame.info:
            raise BornflowError(
                f"{place}: '{source}' is a column, but {quantity.description} is one number per structure; "
                "write it in the comment line, or correct training.keys"
            )
        return frame.info.pop(source, None)
    if source in frame.info and source not in frame.arrays:
        raise BornflowError(
            f"{place}: '{source}' is in the comment line, but {quantity.description} has values for each "
            "atom; write it as columns, or correct training.keys"
        )
    return frame.arrays.pop(source, None)


def _parse_numbers(value: str | np.ndarray, source: str, place: str) -> np.ndarray:
    if isinstance(value, str):
        try:
            return np.array([comment.parse_number(word) for word in value.split()])
        except ValueError:
            shown = value
    elif value.dtype.kind in "if":
        return value
    else:
        shown = str(value.ravel()[0])
    raise BornflowError(f"{place}: '{source}' is '{shown}', not a number; correct or remove it")


def _complete_identity(atoms: Atoms, default_name: str, place: str) -> None:
    """Check the name, charge, multiplicity, number of molecules and kind in `info`, and add missing ones."""
    info = atoms.info
    info["structure"] = info.get("structure") or default_name
    electrons = int(sum(atoms.numbers))
    for key, least, most in (
        ("n_molecules", 1, len(atoms)),
        ("charge", -electrons, electrons),
        ("multiplicity", 1, 1 + electrons),
    ):
        if key not in info:
            continue
        value = info[key]
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if (
            not is_number
            or abs(value - round(value)) > INTEGER_TOLERANCE
            or not least <= round(value) <= most
        ):
            raise BornflowError(
                f"{place}: {key}={value} found; an integer from {least} to {most} is expected, correct it"
            )
        info[key] = round(value)
    actual, stated = kind(atoms, place), info.get("kind")
    if stated in ("cluster", "bulk") and stated != actual:
        raise BornflowError(
            f"{place}: kind={stated} found, but the frame is "
            f"{'isolated' if actual == 'cluster' else 'periodic'}; correct Lattice and pbc, or remove kind"
        )
    info["kind"] = actual
