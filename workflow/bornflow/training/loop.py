"""The training of one model: epochs, what is recorded of them, and where they end."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from jax.flatten_util import ravel_pytree

from ..composition import elements
from ..errors import BornflowError
from ..inference.checkpoint import Checkpoint
from ..models.charges import with_charges
from ..models.model import Model
from ..progress import Meter
from . import data, metrics
from .baseline import energy_baseline, mean_charges
from .compare import QUANTITIES
from .data import Bucket
from .loss import TERMS, scale
from .reports import divergence, explained, note
from .schedule import adamw, decay_of_matrices, ending
from .state import State, identity, restore, store
from .step import build, loss_weights


class Diverged(BornflowError):
    """Training that diverged; `last` is the model after the epoch before, if there was one."""

    def __init__(self, message: str, last: Checkpoint | None):
        super().__init__(message)
        self.last = last


def train(
    structures: Sequence[Atoms],
    variant: Mapping,
    options: Mapping,
    seed: int,
    state_path: Path | None = None,
    initial: Checkpoint | None = None,
    held_out: Sequence[Atoms] = (),
) -> tuple[Checkpoint, State]:
    """The trained model and the state it ended in, with its history.

    `variant` is an entry of `models`, `options` the section `training` of a configuration: its `patience`
    and `hours` may end the run early. With a `state_path` the run resumes from that file if the same run
    wrote it. It starts from the parameters of `initial` where that is given, which knows the same elements.
    Errors on `held_out` are recorded every `validate_epochs`. Raises Diverged.
    """
    model = Model(variant, initial.model.elements if initial else elements(structures))
    energies = energy_baseline(structures, model.elements, initial.baseline if initial else None)
    buckets = data.prepare(
        structures, model, energies, options["batch_atoms"], options["shapes"], by_labels=True
    )
    weights = loss_weights(options, model)
    tests = []
    if options["validate_epochs"]:
        tests = data.prepare(held_out, model, energies, metrics.BATCH_ATOMS, shapes=1)
    steps = sum(-(-len(bucket.indices) // bucket.batch_size) for bucket in buckets)
    waste = data.padding(buckets)
    print(f"{len(structures)} structures, {len(buckets)} shapes, {waste:.0%} padding", file=sys.stderr)
    run = identity(structures, variant, options, seed, initial)
    charges = np.zeros(len(model.elements))
    if options["initial_charges"] and initial is None:
        charges = mean_charges(structures, model.elements)
    first = _initial(model, buckets, seed, initial, charges)
    parameters, unravel = ravel_pytree(first)
    decay = decay_of_matrices(first, options["weight_decay"][variant["backbone"]])
    optimiser = adamw(options, steps, decay)
    history, validation = np.zeros((0, 1 + len(TERMS))), np.zeros((0, 2 + len(QUANTITIES)))
    state = State(parameters, jnp.copy(parameters), optimiser.init(parameters), 0, history, validation, 0.0)
    state = restore(state, state_path, run)
    step = build(model, optimiser, weights, unravel)
    largest = _largest_loss(buckets, weights)

    def followed(state: State) -> State:
        errors = _validate(Checkpoint(model, unravel(state.average), energies), held_out, tests)
        found = np.concatenate([state.validation, [[state.epoch, state.seconds, *errors]]])
        return state._replace(validation=found)

    begun, stored = time.monotonic() - state.seconds, time.monotonic()
    with Meter("training", options["epochs"], "epochs", start=state.epoch) as meter:
        for epoch in range(state.epoch, options["epochs"]):
            if reason := ending(state, options):
                print(f"training ends after {epoch} of {options['epochs']} epochs: {reason}", file=sys.stderr)
                break
            rng = np.random.default_rng([seed, epoch])
            good = np.array(state.average)  # the step gives up its own
            parameters, average, optimiser_state = state.parameters, state.average, state.optimiser
            rows, seen = [], []
            for number, (batch, labels) in enumerate(data.epoch(buckets, rng)):
                kept = _kept(options["average"], epoch * steps + number)
                parameters, average, optimiser_state, row, *terms = step(
                    parameters, average, optimiser_state, batch, kept, labels
                )
                rows.append(row)
                seen.append((batch.index, *terms))
            rows, seen = jax.device_get((rows, seen))  # once, not step by step
            sums, counts = np.sum(rows, axis=0)
            row = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
            if why := divergence(rows, seen, state.history, largest):
                last = _model(model, unravel, good, energies) if epoch else None
                raise Diverged(explained(why, seen, structures, epoch), last)
            if not weights["bec"]:
                row[1 + TERMS.index("bec")] = np.nan
            history, seconds = np.concatenate([state.history, row[None]]), time.monotonic() - begun
            state = State(parameters, average, optimiser_state, epoch + 1, history, state.validation, seconds)
            if tests and (epoch + 1) % options["validate_epochs"] == 0:
                state = followed(state)
            if state_path and time.monotonic() - stored >= 60 * options["checkpoint_minutes"]:
                store(state, state_path, run)
                stored = time.monotonic()
            meter.advance(note=note(row))
    if tests and state.epoch and state.epoch not in state.validation[:, 0]:
        state = followed(state)
    if state_path:
        store(state, state_path, run)  # what another stage starts from is the same after a kill
    return _model(model, unravel, state.average, energies), state


def _largest_loss(buckets: Sequence[Bucket], weights: Mapping[str, float]) -> np.ndarray:
    """Loss and terms [1 + terms] of a model that predicts zero, the largest over the buckets."""
    found = []
    for bucket in buckets:
        terms = scale(bucket.data)
        found.append([sum(weights[key] * terms[key] for key in TERMS), *(terms[key] for key in TERMS)])
    return np.max(found, axis=0)


def _model(
    model: Model, unravel: Callable, average: jax.Array | np.ndarray, energies: np.ndarray
) -> Checkpoint:
    return Checkpoint(model, jax.tree.map(np.asarray, unravel(average)), energies)


def _validate(trained: Checkpoint, held_out: Sequence[Atoms], buckets: Sequence[Bucket]) -> list[float]:
    found = metrics.errors(held_out, metrics.predict(trained, held_out, buckets))["all"]
    unfitted = {"bec_mae [1e-3 e]"} if trained.model.screening_is_fitted else set()
    return [np.nan if name in unfitted else found.get(name, np.nan) for name in QUANTITIES]


def _kept(average: float, step: int) -> np.float32:
    """What the moving average keeps of itself: less at first, so that it forgets the initial weights."""
    return np.float32(min(average, (1 + step) / (10 + step)))


def _initial(
    model: Model, buckets: Sequence[Bucket], seed: int, initial: Checkpoint | None, charges: np.ndarray
):
    """The parameters that training starts from."""
    if initial is not None:
        return jax.tree.map(jnp.asarray, initial.parameters)
    graph = jax.tree.map(lambda leaf: leaf[0], buckets[0].data.graph)
    # Charges of the sign and size that Born effective charges have, and γ_i near 1.
    return with_charges(model.initialise(graph, seed), charges)
