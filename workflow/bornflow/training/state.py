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

from ..errors import BornflowError
from ..io import frames
from ..io.files import atomic_write
from ..parts import NOT_OF_A_MODEL
from .checkpoint import FORMAT, Checkpoint
from .compare import QUANTITIES

STATE_FORMAT = 2  # of a stored state; others are not gone on from
# Options of training that a run may change when it is resumed.
FREE = (*NOT_OF_A_MODEL, "patience", "improvement", "hours", "checkpoint_minutes", "validate_epochs")


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
    digest = hashlib.sha256(json.dumps([FORMAT, STATE_FORMAT, variant, fixed, seed], sort_keys=True).encode())
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
    """Write a state, whole or not at all, with the identity of its run."""
    with atomic_write(path) as scratch:
        content = {"identity": identity, "state": serialization.to_state_dict(state)}
        scratch.write_bytes(serialization.msgpack_serialize(jax.tree.map(_host, content)))


def _host(leaf):
    return leaf if isinstance(leaf, str | int) else np.asarray(leaf)


def restore(state: State, path: Path | None, identity: str) -> State:
    """The state that the same run stored in `path`, or that was replaced there; else the given one."""
    if path is None:
        return state
    held = {where: _content(where) for where in (path, replaced(path)) if where.exists()}
    own = next((where for where, content in held.items() if content["identity"] == identity), None)
    if own != path:
        aside = path.rename(path.with_suffix(".aside" + path.suffix)) if path in held else None
        if own is not None:
            own.rename(path)
        if aside is not None:
            aside.replace(replaced(path))
            print(f"{path} is of other data or settings; it is kept as {replaced(path)}", file=sys.stderr)
    if own is None:
        return state
    content = held[own]
    target = state._replace(**{name: content["state"][name] for name in ("history", "validation")})
    return serialization.from_state_dict(target, content["state"])


def _content(path: Path) -> dict:
    try:
        content = serialization.msgpack_restore(path.read_bytes())
        return {key: content[key] for key in ("identity", "state")}
    except Exception as error:  # whatever msgpack stumbles over
        raise BornflowError(
            f"{path} is damaged ({type(error).__name__}: {error}); remove it, and training starts anew"
        ) from error


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
    with atomic_write(path) as scratch, scratch.open("w", newline="") as handle:
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
