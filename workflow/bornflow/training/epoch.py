"""One epoch of training, as a function from the state of a run to its next state."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from jaxtyping import Float

from ..inference.batches import Graphs
from ..inference.checkpoint import Checkpoint
from ..inference.predict import predict_labels
from ..models.model import Model
from .data import Bucket, shuffled_batches, steps_per_epoch
from .divergence import Diverged, explain, find_divergence
from .loss import LOSS_TERMS
from .metrics import error_metrics
from .settings import TrainingSettings
from .state import State
from .step import Outcome, Step
from .tables import QUANTITIES


@dataclass(frozen=True)
class Run:
    """The parts of a run that stay the same from the first epoch to the last."""

    model: Model
    baseline: Float[np.ndarray, " elements"]  # eV
    settings: TrainingSettings
    seed: int
    structures: Sequence[Atoms]
    buckets: Sequence[Bucket]  # of the structures
    held_out: Sequence[Atoms]
    held_out_graphs: Sequence[Graphs]  # empty if no errors on them are recorded
    step: Step
    unravel: Callable[[Any], Any]  # from a vector to the model's parameters
    weights: Mapping[str, float]  # of the loss terms
    zero_loss: Float[np.ndarray, " columns"]  # loss and terms of a model that predicts zero

    def checkpoint(self, state: State) -> Checkpoint:
        """The model with the averaged parameters of a state."""
        return Checkpoint(self.model, jax.tree.map(np.asarray, self.unravel(state.average)), self.baseline)


def run_epoch(run: Run, state: State) -> State:
    """The state after one more epoch, with its mean loss and terms as a new row of the history.

    `state` stays valid, and `seconds` is not changed. The batches depend only on the seed and the number of
    the epoch, so a resumed run uses the same batches as an uninterrupted one. Raises Diverged.
    """
    rng = np.random.default_rng([run.seed, state.epoch])
    first = state.epoch * steps_per_epoch(run.buckets)
    # Copies, since each step donates the buffers of its arguments.
    parameters, average, optimiser = jax.tree.map(
        jnp.copy, (state.parameters, state.average, state.optimiser)
    )
    outcomes: list[Outcome] = []
    for number, (batch, labels) in enumerate(shuffled_batches(run.buckets, rng)):
        decay = average_decay(run.settings.average, first + number)
        parameters, average, optimiser, outcome = run.step(
            parameters, average, optimiser, batch, decay, labels
        )
        outcomes.append(outcome._replace(structures=batch.structures))
    outcomes = jax.device_get(outcomes)  # once for all steps
    if found := find_divergence(outcomes, state.history, run.zero_loss):
        last = run.checkpoint(state) if state.epoch else None
        raise Diverged(explain(found, outcomes, run.structures, state.epoch), last)
    history = np.concatenate([state.history, _means(run, outcomes)[None]])
    return State(parameters, average, optimiser, state.epoch + 1, history, state.validation, state.seconds)


def _means(run: Run, outcomes: Sequence[Outcome]) -> Float[np.ndarray, " columns"]:
    """The epoch's mean loss and terms; NaN for a term without labels or without weight."""
    sums, counts = np.sum([outcome.sums for outcome in outcomes], axis=0)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    if not run.weights["bec"]:
        means[1 + LOSS_TERMS.index("bec")] = np.nan
    return means


def average_decay(average: float, step: int) -> np.float32:
    """The decay of the moving average, smaller at first to forget the initial parameters."""
    return np.float32(min(average, (1 + step) / (10 + step)))


def validate(run: Run, state: State) -> State:
    """The state with a new row of errors on the held-out structures; NaN for charges with a fitted γ."""
    trained = run.checkpoint(state)
    predicted = predict_labels(trained, run.held_out, run.held_out_graphs)
    errors = error_metrics(run.held_out, predicted)["all"]
    unfitted = {"bec_mae [1e-3 e]"} if run.model.screening_is_fitted else set()
    values = [np.nan if name in unfitted else errors.get(name, np.nan) for name in QUANTITIES]
    row = [[state.epoch, state.seconds, *values]]
    return state._replace(validation=np.concatenate([state.validation, row]))


def progress_note(means: Float[np.ndarray, " columns"]) -> str:
    """The known root-mean-square errors of an epoch."""
    energy, forces, bec = np.sqrt(means[1:4]) * 1e3
    known = (
        (energy, f"E {energy:.1f} meV/atom"),
        (forces, f"F {forces:.0f} meV/Å"),
        (bec, f"Z {bec:.0f}e-3 e"),
    )
    return "rms: " + ", ".join(text for value, text in known if np.isfinite(value))
