"""What training says of itself: errors on the way, and where it diverged."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from .. import frames
from .loss import TERMS


def note(row: np.ndarray) -> str:
    """The root-mean-square errors of an epoch that are known."""
    energy, forces, bec = np.sqrt(row[1:4]) * 1e3
    known = (
        (energy, f"E {energy:.1f} meV/atom"),
        (forces, f"F {forces:.0f} meV/Å"),
        (bec, f"Z {bec:.0f}e-3 e"),
    )
    return "rms: " + ", ".join(text for value, text in known if np.isfinite(value))


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
    kept = f" The last good state stays in {path}" if path and path.exists() else ""
    return (
        f"training diverged in epoch {epoch}: {place} in step {epoch * len(seen) + number} is not finite; "
        f"look at the labels there, or lower training.learning_rate.{kept}"
    )
