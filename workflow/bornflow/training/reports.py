"""What training says of itself: errors on the way, and where it diverged."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from .. import frames
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


def runaway(row: np.ndarray, history: np.ndarray, epoch: int, path: Path | None) -> str | None:
    """Words on an epoch whose loss is RUNAWAY times the least so far: finite, but lost."""
    if not len(history) or not row[0] > RUNAWAY * history[:, 0].min():
        return None
    term = TERMS[int(np.nanargmax(row[1:] / np.maximum(history[:, 1:].min(axis=0), TINY)))]
    return (
        f"training diverged in epoch {epoch}: the loss is {row[0]:.3g}, over {RUNAWAY:g} times the least so "
        f"far; {term} grew most. Lower training.learning_rate.{_kept(path)}"
    )


def _kept(path: Path | None) -> str:
    return f" The last good state stays in {path}" if path and path.exists() else ""


def divergence(seen: Sequence[tuple], structures: Sequence[Atoms], epoch: int, path: Path | None) -> str:
    """Where a number first ceased to be finite.

    `seen` has the structures of each step, which of their terms are finite, and whether the gradient is.
    """
    number, index, finite = next(
        (number, index, finite)
        for number, (index, finite, gradient) in enumerate(seen)
        if not (np.all(finite) and gradient)
    )
    if not finite.all():
        term, row = np.argwhere(~finite)[0]
        place = f"{TERMS[term]} of structure {frames.name(structures[index[row]])}"
    else:
        names = dict.fromkeys(frames.name(structures[row]) for row in index)
        place = f"the gradient over {', '.join(names)}"
    return (
        f"training diverged in epoch {epoch}: {place} in step {epoch * len(seen) + number} is not finite; "
        f"look at the labels there, or lower training.learning_rate.{_kept(path)}"
    )
