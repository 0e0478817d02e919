"""Where and why training diverged, from the reports of an epoch's steps."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms
from jaxtyping import Float

from ..errors import BornflowError
from ..inference.checkpoint import Checkpoint
from ..io import frames
from .loss import LOSS_TERMS
from .step import Outcome

RUNAWAY = 1e3  # times the smallest loss; noise between epochs is far smaller
TINY = 1e-12


class Diverged(BornflowError):
    """Training that diverged; `last` is the model after the previous epoch, if there was one."""

    def __init__(self, message: str, last: Checkpoint | None):
        super().__init__(message)
        self.last = last


class Divergence(NamedTuple):
    """The place in an epoch where training diverged, and the reason."""

    step: int  # of the epoch
    place: tuple[int, int] | None  # loss term, and row in the batch; None: the gradient
    reason: str


def find_divergence(
    outcomes: Sequence[Outcome],
    history: Float[np.ndarray, "epochs columns"],
    zero_loss: Float[np.ndarray, " columns"],
) -> Divergence | None:
    """The first non-finite number of an epoch, or the step whose loss grew too much; otherwise None.

    `outcomes` are those of the epoch's steps, `history` that of the earlier epochs, `zero_loss` the loss and
    terms of a model that predicts zero.
    """
    for step, outcome in enumerate(outcomes):
        terms = np.asarray(outcome.terms)
        if not np.isfinite(terms).all():
            term, row = np.argwhere(~np.isfinite(terms))[0]
            return Divergence(step, (int(term), int(row)), "is not finite")
        if not outcome.gradient_is_finite:
            return Divergence(step, None, "is not finite")
    return _find_runaway(outcomes, history, zero_loss)


def _find_runaway(
    outcomes: Sequence[Outcome], history: np.ndarray, zero_loss: np.ndarray
) -> Divergence | None:
    """The step of largest loss, if the epoch's loss is above RUNAWAY times a reference; otherwise None.

    The reference is the best epoch so far. In the first epoch it is the largest loss among the first steps
    with each set of labels, since the loss of energies alone can be a million times below that of forces.
    Single atoms have nearly zero loss, so `zero_loss` is used where it is larger.
    """
    sums = np.array([outcome.sums for outcome in outcomes])
    means = sums[:, 0] / np.maximum(sums[:, 1], 1)  # [steps, 1 + terms]
    if len(history):
        best = np.nanmin(history, axis=0, initial=np.inf)
    else:
        _, firsts = np.unique(sums[:, 1] > 0, axis=0, return_index=True)
        best = np.maximum(means[firsts].max(axis=0), zero_loss)
    loss = means[:, 0].mean()
    if loss <= RUNAWAY * best[0]:
        return None
    step = int(means[:, 0].argmax())
    term = int(np.argmax(means[step, 1:] / np.maximum(best[1:], TINY)))
    reason = f"grew most: the loss is {loss:.3g}, over {RUNAWAY:g} times the smallest so far"
    return Divergence(step, (term, int(np.asarray(outcomes[step].terms)[term].argmax())), reason)


def explain(
    divergence: Divergence, outcomes: Sequence[Outcome], structures: Sequence[Atoms], epoch: int
) -> str:
    """The error message: epoch, step, structure and loss term, and what to do."""
    indices = np.asarray(outcomes[divergence.step].structures)
    if divergence.place:
        term, row = divergence.place
        place = f"{LOSS_TERMS[term]} of structure {frames.name(structures[indices[row]])}"
    else:
        names = dict.fromkeys(frames.name(structures[index]) for index in indices)
        place = f"the gradient over {', '.join(names)}"
    step = epoch * len(outcomes) + divergence.step
    return (
        f"training diverged in epoch {epoch}: {place} in step {step} {divergence.reason}. Check the labels "
        "there, or lower training.learning_rate; training then starts anew."
    )
