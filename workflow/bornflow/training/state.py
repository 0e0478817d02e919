"""Where a training run stands, kept in a file so that it goes on after a kill."""

import csv
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from ase import Atoms
from flax import serialization

from ..config.sections import NOT_PER_MODEL
from ..errors import BornflowError
from ..inference.checkpoint import WEIGHTS_FORMAT, Checkpoint
from ..io import frames
from ..io.files import atomic_write
from .tables import QUANTITIES

STATE_FORMAT = 2  # of a stored state; others are not gone on from
# Options of training that a run may change when it is resumed.
FREE = (*NOT_PER_MODEL, "patience", "improvement", "hours", "checkpoint_minutes", "validate_epochs")


class State(NamedTuple):
    """Everything a run needs to go on."""

    parameters: Any
    average: Any  # exponential moving average of the parameters
    optimiser: Any
    epoch: int
    history: np.ndarray  # [epochs, 1 + terms]: total loss and its terms
    validation: np.ndarray  # [times, 2 + QUANTITIES]: epoch, seconds, errors of the structures held out
    seconds: float  # of training so far


def identity(
    structures: Sequence[Atoms], variant: Mapping, options: Mapping, seed: int, initial: Checkpoint | None
) -> str:
    """A hash over all that determines the run, so that a state of another run is not resumed.

    What only says when it ends or what is written on the way may change (FREE).
    """
    fixed = {key: value for key, value in options.items() if key not in FREE}
    digest = hashlib.sha256(
        json.dumps([WEIGHTS_FORMAT, STATE_FORMAT, variant, fixed, seed], sort_keys=True).encode()
    )
    for leaf in jax.tree.leaves(initial.parameters if initial else None):
        digest.update(np.asarray(leaf).tobytes())
    for atoms in structures:
        for values in (atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc):
            digest.update(values.tobytes())
        for key in frames.LABELS:
            value = frames.label(atoms, key)
            digest.update(b"-" if value is None else np.asarray(value).tobytes())
    return digest.hexdigest()


def store(state: State, path: Path, identity: str) -> None:
    """Write a state, whole or not at all, with the identity of its run and a checksum."""
    held = serialization.msgpack_serialize(jax.tree.map(_host, serialization.to_state_dict(state)))
    content = {"identity": identity, "sha256": hashlib.sha256(held).hexdigest(), "state": held}
    with atomic_write(path) as scratch:
        scratch.write_bytes(serialization.msgpack_serialize(content))


def _host(leaf):
    return leaf if isinstance(leaf, str | int) else np.asarray(leaf)


def restore(state: State, path: Path | None, identity: str) -> State:
    """The state that the same run stored in `path`, or that was replaced there; else the given one.

    Raises BornflowError for a file that is damaged or holds the state of another model.
    """
    if path is None:
        return state
    held = {where: _content(where) for where in (path, replaced(path)) if where.exists()}
    own = next((where for where, content in held.items() if content["identity"] == identity), None)
    restored = state if own is None else _restored(state, held[own]["state"], own)
    if own != path:
        aside = path.rename(path.with_suffix(".aside" + path.suffix)) if path in held else None
        if own is not None:
            own.rename(path)
        if aside is not None:
            aside.replace(replaced(path))
            print(f"{path} is of other data or settings; it is kept as {replaced(path)}", file=sys.stderr)
    return restored


def _content(path: Path) -> dict:
    """Identity and state of a file, whose checksum fits; files of before had none."""
    data = path.read_bytes()
    try:
        content = serialization.msgpack_restore(data)
        identity, state = content["identity"], content["state"]
        if isinstance(state, bytes):
            if hashlib.sha256(state).hexdigest() != content["sha256"]:
                raise ValueError("its checksum is wrong")
            state = serialization.msgpack_restore(state)
    except Exception as error:  # whatever msgpack stumbles over
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if not isinstance(identity, str) or not isinstance(state, dict):
        raise _damaged(path, "it holds no state of a training")
    return {"identity": identity, "state": state}


def _restored(state: State, stored: Mapping, path: Path) -> State:
    """`stored` in the form of `state`; BornflowError unless it is one that such a run can have."""
    if set(stored) != set(State._fields):
        odd = ", ".join(sorted(map(str, set(stored) ^ set(State._fields))))
        raise _damaged(path, f"missing or unknown in it: {odd}")
    try:
        target = state._replace(**{name: np.asarray(stored[name]) for name in ("history", "validation")})
        found = serialization.from_state_dict(target, stored)
    except Exception as error:  # whatever flax stumbles over
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if isinstance(found.epoch, bool) or not isinstance(found.epoch, int) or found.epoch < 0:
        raise _damaged(path, f"epoch is {found.epoch!r}, a whole number expected")
    rows = {"history": found.epoch, "validation": len(target.validation) if target.validation.ndim else 0}
    for name, count in rows.items():
        table, width = getattr(found, name), getattr(state, name).shape[1]
        if not isinstance(table, np.ndarray) or table.dtype.kind != "f" or table.shape != (count, width):
            raise _damaged(path, f"{name} is no table of {count} rows and {width} columns")
    if not np.isfinite(found.validation[:, :2]).all() or (found.validation[:, 0] > found.epoch).any():
        raise _damaged(path, "validation is of epochs that were not made")
    seconds = np.asarray(found.seconds)
    if seconds.shape or seconds.dtype.kind not in "fi" or not np.isfinite(seconds) or seconds < 0:
        raise _damaged(path, f"seconds are {found.seconds!r}")
    for name in ("parameters", "average", "optimiser"):
        _check_alike(path, name, getattr(state, name), getattr(found, name))
    return found


def _check_alike(path: Path, name: str, wanted: Any, found: Any) -> None:
    """Raise BornflowError unless two trees have the same leaves: shapes and types, and finite values."""
    pairs = [jax.tree.flatten(tree) for tree in (wanted, found)]
    if pairs[0][1] != pairs[1][1]:
        raise _damaged(path, f"{name} are not those of this model")
    for leaf, other in zip(pairs[0][0], pairs[1][0], strict=True):
        leaf, other = np.asarray(leaf), np.asarray(other)
        if leaf.shape != other.shape or leaf.dtype != other.dtype:
            raise _damaged(
                path, f"{name}: {other.dtype} {other.shape} found, {leaf.dtype} {leaf.shape} expected"
            )
        if not np.isfinite(other).all():
            raise _damaged(path, f"{name} are not finite")


def _damaged(path: Path, reason: str) -> BornflowError:
    words = " ".join(reason.split())
    return BornflowError(f"{path} is damaged ({words}); remove it, and training starts anew")


def replaced(path: Path) -> Path:
    """Where the state of another run is kept, for who goes back to its settings."""
    return path.with_suffix(".old" + path.suffix)


def write_history(path: Path, history: np.ndarray) -> None:
    """history.csv: one row an epoch, root-mean-square errors and the loss."""
    header = [
        "epoch",
        "loss",
        "energy_rms [eV/atom]",
        "forces_rms [eV/Å]",
        "bec_rms [e]",
        "charge_penalty",
    ]
    with atomic_write(path) as scratch, scratch.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(header)
        for epoch, (total, energy, forces, bec, charge) in enumerate(history, start=1):
            values = (total, np.sqrt(energy), np.sqrt(forces), np.sqrt(bec), charge)
            writer.writerow([epoch, *(f"{value:.6g}" for value in values)])


def write_validation(path: Path, validation: np.ndarray, before: float = 0) -> None:
    """validation.csv: errors of the structures held out, over epochs and seconds, after `before` others."""
    table = pd.DataFrame(validation, columns=["epoch", "seconds", *QUANTITIES])
    table["seconds"] += before
    with atomic_write(path) as scratch:
        table.astype({"epoch": int}).to_csv(scratch, index=False, float_format="%.6g")
