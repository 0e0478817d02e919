"""The state of a training run, stored in a file so that a killed run resumes from it."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from ase import Atoms
from flax import serialization
from jaxtyping import Float

from ..config.sections import NOT_PER_MODEL
from ..errors import BornflowError
from ..inference.checkpoint import WEIGHTS_FORMAT, Checkpoint
from ..io import frames
from ..io.files import atomic_write
from .settings import TrainingSettings

logger = logging.getLogger(__name__)

STATE_FORMAT = 2  # of a stored state; a run does not resume from others
# Settings of training that may be changed before a run is resumed.
FREE = (*NOT_PER_MODEL, "patience", "improvement", "hours", "checkpoint_minutes", "validate_epochs")


class State(NamedTuple):
    """All data that a run needs to resume."""

    parameters: Any  # one vector
    average: Any  # exponential moving average of the parameters
    optimiser: Any
    epoch: int
    history: Float[np.ndarray, "epochs columns"]  # loss and LOSS_TERMS
    validation: Float[np.ndarray, "times columns"]  # epoch, seconds, QUANTITIES on the held-out structures
    seconds: float  # of training so far


def identity(
    structures: Sequence[Atoms],
    variant: Mapping[str, Any],
    settings: TrainingSettings,
    seed: int,
    initial: Checkpoint | None,
) -> str:
    """A hash over all that determines the run, so that the state of another run is not resumed.

    Settings that only end the run or record its progress are left out (FREE).
    """
    fixed = {key: value for key, value in asdict(settings).items() if key not in FREE}
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
    """Write a state atomically, with the identity of its run and a checksum."""
    data = serialization.msgpack_serialize(jax.tree.map(_host, serialization.to_state_dict(state)))
    content = {"identity": identity, "sha256": hashlib.sha256(data).hexdigest(), "state": data}
    with atomic_write(path) as scratch:
        scratch.write_bytes(serialization.msgpack_serialize(content))


def _host(leaf: Any) -> Any:
    return leaf if isinstance(leaf, str | int) else np.asarray(leaf)


def restore(state: State, path: Path | None, identity: str) -> State:
    """The state that the same run stored in `path` or in `replaced_path`, otherwise the given state.

    The file of another run is moved to `replaced_path`. Raises BornflowError for a file that is damaged or
    contains the state of another model.
    """
    if path is None:
        return state
    stored = {file: _content(file) for file in (path, replaced_path(path)) if file.exists()}
    same_run = next((file for file, content in stored.items() if content["identity"] == identity), None)
    restored = state if same_run is None else _restored(state, stored[same_run]["state"], same_run)
    if same_run != path:
        aside = path.rename(path.with_suffix(".aside" + path.suffix)) if path in stored else None
        if same_run is not None:
            same_run.rename(path)
        if aside is not None:
            aside.replace(replaced_path(path))
            logger.info("%s belongs to other data or settings; it is kept as %s", path, replaced_path(path))
    return restored


def _content(path: Path) -> dict[str, Any]:
    """Identity and state from a file with a correct checksum; files of earlier versions have no checksum."""
    data = path.read_bytes()
    try:
        content = serialization.msgpack_restore(data)
        identity, state = content["identity"], content["state"]
        if isinstance(state, bytes):
            if hashlib.sha256(state).hexdigest() != content["sha256"]:
                raise ValueError("its checksum is wrong")
            state = serialization.msgpack_restore(state)
    except Exception as error:  # msgpack raises errors of many kinds
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if not isinstance(identity, str) or not isinstance(state, dict):
        raise _damaged(path, "it contains no state of a training run")
    return {"identity": identity, "state": state}


def _restored(state: State, stored: dict[str, Any], path: Path) -> State:
    """`stored` in the form of `state`; BornflowError unless it is a possible state of this run."""
    if set(stored) != set(State._fields):
        odd = ", ".join(sorted(map(str, set(stored) ^ set(State._fields))))
        raise _damaged(path, f"missing or unknown fields: {odd}")
    try:
        history, validation = (np.asarray(stored[name]) for name in ("history", "validation"))
        target = state._replace(history=history, validation=validation)
        restored = serialization.from_state_dict(target, stored)
    except Exception as error:  # flax raises errors of many kinds
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    _check_records(path, state, restored)
    for name in ("parameters", "average", "optimiser"):
        _check_alike(path, name, getattr(state, name), getattr(restored, name))
    return restored


def _check_records(path: Path, state: State, restored: State) -> None:
    """Raise BornflowError unless epoch, history, validation and seconds have possible values."""
    epoch, seconds = restored.epoch, np.asarray(restored.seconds)
    if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 0:
        raise _damaged(path, f"epoch is {epoch!r}, an integer from 0 expected")
    times = len(restored.validation) if np.ndim(restored.validation) else 0
    for name, count in {"history": epoch, "validation": times}.items():
        table, width = getattr(restored, name), getattr(state, name).shape[1]
        if not isinstance(table, np.ndarray) or table.dtype.kind != "f" or table.shape != (count, width):
            raise _damaged(path, f"{name} is not a table of {count} rows and {width} columns")
    validation = restored.validation
    if not np.isfinite(validation[:, :2]).all() or (validation[:, 0] > epoch).any():
        raise _damaged(path, f"validation has epochs after the last one, {epoch}")
    if seconds.shape or seconds.dtype.kind not in "fi" or not np.isfinite(seconds) or seconds < 0:
        raise _damaged(path, f"seconds are {restored.seconds!r}, a number from 0 expected")


def _check_alike(path: Path, name: str, expected: Any, found: Any) -> None:
    """Raise BornflowError unless two trees have the same leaves: shapes and types, and finite values."""
    tree: Any = jax.tree.structure(expected)
    if tree != jax.tree.structure(found):
        raise _damaged(path, f"{name} are not those of this model")
    for leaf, other in zip(
        *(map(np.asarray, jax.tree.leaves(tree)) for tree in (expected, found)), strict=True
    ):
        if leaf.shape != other.shape or leaf.dtype != other.dtype:
            raise _damaged(
                path, f"{name}: {other.dtype} {other.shape} found, {leaf.dtype} {leaf.shape} expected"
            )
        if not np.isfinite(other).all():
            raise _damaged(path, f"{name} are not finite")


def _damaged(path: Path, reason: str) -> BornflowError:
    words = " ".join(reason.split())
    return BornflowError(f"{path} is damaged ({words}); remove it, and training starts anew")


def replaced_path(path: Path) -> Path:
    """The path of another run's state, kept in case its settings are used again."""
    return path.with_suffix(".old" + path.suffix)
