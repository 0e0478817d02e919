"""The training of one model: preparation, epochs and end of a run.

`epoch` computes one epoch, `state` stores and restores a run, `train` is the command line.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from jax.flatten_util import ravel_pytree
from jaxtyping import Float

from ..composition import elements
from ..inference.batches import make_graphs
from ..inference.checkpoint import Checkpoint
from ..models.charges import with_charges
from ..models.model import Model
from ..progress import Meter
from . import data
from .baseline import energy_baseline, mean_charges
from .data import Bucket
from .epoch import Run, progress_note, run_epoch, validate
from .loss import LOSS_TERMS, terms_of_zero
from .optimiser import build_optimiser, decay_of_matrices
from .schedule import reason_to_end
from .settings import TrainingSettings
from .state import State, identity, restore, store
from .step import build_step, loss_weights
from .tables import QUANTITIES

logger = logging.getLogger(__name__)


def train(
    structures: Sequence[Atoms],
    variant: Mapping[str, Any],
    settings: TrainingSettings,
    seed: int,
    state_path: Path | None = None,
    initial: Checkpoint | None = None,
    held_out: Sequence[Atoms] = (),
) -> tuple[Checkpoint, State]:
    """The trained model, and the last state of the run with its history.

    `variant` is an entry of the configuration's `models`. The run may end early by `patience` and `hours` of
    the settings. With a `state_path` it stores its state in that file, and resumes from it if the same run
    wrote it. It starts from the parameters of `initial`, if given, and keeps the elements of that model.
    Errors on `held_out` are recorded every `validate_epochs`. Raises Diverged.
    """
    run, state = prepare(structures, variant, settings, seed, initial, held_out)
    name = identity(structures, variant, settings, seed, initial)
    state = restore(state, state_path, name)

    def keep(state: State) -> None:
        if state_path:
            store(state, state_path, name)

    state = _run_epochs(run, state, keep)
    return run.checkpoint(state), state


def prepare(
    structures: Sequence[Atoms],
    variant: Mapping[str, Any],
    settings: TrainingSettings,
    seed: int,
    initial: Checkpoint | None,
    held_out: Sequence[Atoms],
) -> tuple[Run, State]:
    """A run and its state before the first epoch; see `train` for the arguments."""
    model = Model(variant, initial.model.elements if initial else elements(structures))
    baseline = energy_baseline(structures, model.elements, initial.baseline if initial else None)
    buckets = data.make_buckets(
        structures, model, baseline, settings.batch_atoms, settings.shapes, by_labels=True
    )
    held_out_graphs = []
    if settings.validate_epochs:
        held_out_graphs = make_graphs(held_out, model)
    padding = data.padding_fraction(buckets)
    logger.info("%d structures, %d shapes, %.0f%% padding", len(structures), len(buckets), 100 * padding)
    parameters = _initial_parameters(model, buckets, structures, settings, seed, initial)
    vector, unravel = ravel_pytree(parameters)
    decay = decay_of_matrices(parameters, settings.decay_of(model.variant.backbone))
    optimiser = build_optimiser(settings, data.steps_per_epoch(buckets), decay, unravel)
    weights = loss_weights(settings.loss, model)
    run = Run(
        model=model,
        baseline=baseline,
        settings=settings,
        seed=seed,
        structures=structures,
        buckets=buckets,
        held_out=held_out,
        held_out_graphs=held_out_graphs,
        step=build_step(model, optimiser, weights, unravel),
        unravel=unravel,
        weights=weights,
        zero_loss=_zero_loss(buckets, weights),
    )
    history = np.zeros((0, 1 + len(LOSS_TERMS)))
    validation = np.zeros((0, 2 + len(QUANTITIES)))
    state = State(vector, jnp.copy(vector), optimiser.init(vector), 0, history, validation, 0.0)
    return run, state


def _initial_parameters(
    model: Model,
    buckets: Sequence[Bucket],
    structures: Sequence[Atoms],
    settings: TrainingSettings,
    seed: int,
    initial: Checkpoint | None,
) -> Any:
    """The parameters that training starts from.

    Random ones have charges with the sign and size of the Born effective charges (`initial_charges`), and γ_i
    near 1.
    """
    if initial is not None:
        return jax.tree.map(jnp.asarray, initial.parameters)
    charges = np.zeros(len(model.elements))
    if settings.initial_charges:
        charges = mean_charges(structures, model.elements)
    graph = jax.tree.map(lambda leaf: leaf[0], buckets[0].data.graph)
    return with_charges(model.initialise(graph, seed), charges)


def _zero_loss(buckets: Sequence[Bucket], weights: Mapping[str, float]) -> Float[np.ndarray, " columns"]:
    """Loss and terms of a model that predicts zero, the largest over the buckets."""
    rows = []
    for bucket in buckets:
        terms = terms_of_zero(bucket.data)
        loss = sum(weights[key] * terms[key] for key in LOSS_TERMS)
        rows.append([loss, *(terms[key] for key in LOSS_TERMS)])
    return np.max(rows, axis=0)


def _run_epochs(run: Run, state: State, keep: Callable[[State], None]) -> State:
    """The state at the end of the run; `keep` stores it every `checkpoint_minutes` and at the end."""
    settings = run.settings
    begun, stored = time.monotonic() - state.seconds, time.monotonic()
    first = state.epoch
    with Meter("training", settings.epochs, "epochs", start=first) as meter:
        if first < settings.epochs:
            meter.prepare(f"the first epoch compiles the steps of {len(run.buckets)} shapes")
        while state.epoch < settings.epochs:
            if reason := reason_to_end(state, settings):
                logger.info("training ends after %d of %d epochs: %s", state.epoch, settings.epochs, reason)
                break
            state = run_epoch(run, state)._replace(seconds=time.monotonic() - begun)
            if run.held_out_graphs and state.epoch % settings.validate_epochs == 0:
                state = validate(run, state)
            if time.monotonic() - stored >= 60 * settings.checkpoint_minutes:
                keep(state)
                stored = time.monotonic()
            meter.advance(note=progress_note(state.history[-1]))
            if state.epoch == first + 1 < settings.epochs:
                meter.start_clock("including compilation")
    if run.held_out_graphs and state.epoch and state.epoch not in state.validation[:, 0]:
        state = validate(run, state)
    keep(state)  # so that a second stage starts from the same parameters as after a kill
    return state
