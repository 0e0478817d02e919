"""What training says of itself: errors on the way, and where it diverged."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms

from ..io import frames
from .loss import TERMS

RUNAWAY = 1e3  # times the least loss; noise between epochs stays far below
TINY = 1e-12


def note(row: np.ndarray) -> str:
    """The root-mean-square errors of an epoch that are known."""
    energy, forces, bec = np.sqrt(row[1:4]) * 1e3
    known = (
        (energy, f"E {energy:.1f} meV/atom"),
        (forces, f"F {forces:.0f} meV/Å"),
        (bec, f"Z {bec:.0f}e-3 e"),
    )
    return "rms: " + ", ".join(text for value, text in known if np.isfinite(value))


class Divergence(NamedTuple):
    """Where training went wrong, and what is wrong there."""

    step: int  # of the epoch
    place: tuple[int, int] | None  # term, and number in the batch; None: the gradient
    what: str


def divergence(
    rows: Sequence[np.ndarray],
    seen: Sequence[tuple],
    history: np.ndarray,
    largest: np.ndarray | float = 0.0,
) -> Divergence | None:
    """The first number of an epoch that is not finite, or where its loss ran away; None if all is well.

    `rows` [2, 1 + terms] (sums, numbers of structures) and `seen` (structures, their terms [terms, batch],
    whether the gradient is finite) are of each step; `history` holds the epochs before; `largest` [1 + terms]
    are loss and terms of a model that predicts zero.
    """
    for step, (_, each, gradient) in enumerate(seen):
        if not np.isfinite(each).all():
            return Divergence(step, tuple(np.argwhere(~np.isfinite(each))[0]), "is not finite")
        if not gradient:
            return Divergence(step, None, "is not finite")
    return _runaway(np.array(rows), seen, history, largest)


def _runaway(
    rows: np.ndarray, seen: Sequence[tuple], history: np.ndarray, largest: np.ndarray | float
) -> Divergence | None:
    """A loss RUNAWAY times that of the best epoch so far, in the first epoch that of its first steps.

    Of these there is one for each set of labels: energies alone can be a million times less off than forces.
    A lone atom in the first step has next to no loss, so that of a prediction of zero counts in the first
    epoch.
    """
    means = rows[:, 0] / np.maximum(rows[:, 1], 1)  # [steps, 1 + terms]
    if len(history):
        best = np.nanmin(history, axis=0, initial=np.inf)
    else:
        _, firsts = np.unique(rows[:, 1] > 0, axis=0, return_index=True)
        best = np.maximum(means[firsts].max(axis=0), largest)
    loss = means[:, 0].mean()
    if loss <= RUNAWAY * best[0]:
        return None
    step = int(means[:, 0].argmax())
    term = int(np.argmax(means[step, 1:] / np.maximum(best[1:], TINY)))
    what = f"grew most: the loss is {loss:.3g}, over {RUNAWAY:g} times the least so far"
    return Divergence(step, (term, int(seen[step][1][term].argmax())), what)


def explained(found: Divergence, seen: Sequence[tuple], structures: Sequence[Atoms], epoch: int) -> str:
    """A divergence in words, with what to do."""
    index = seen[found.step][0]
    if found.place:
        term, row = found.place
        place = f"{TERMS[term]} of structure {frames.name(structures[index[row]])}"
    else:
        names = dict.fromkeys(frames.name(structures[row]) for row in index)
        place = f"the gradient over {', '.join(names)}"
    step = epoch * len(seen) + found.step
    return (
        f"training diverged in epoch {epoch}: {place} in step {step} {found.what}. Look at the labels there, "
        f"or lower training.learning_rate, with which training starts anew."
    )
