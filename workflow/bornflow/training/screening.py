"""The one screening γ of a coupled model with Q_i = γ q_i (eq. 7), fitted after training.

Born effective charges are linear in γ, Z = γ U with U those of γ = 1, so the mean absolute error
    Σ |z − γ u| = Σ |u| |z/u − γ|
over all components is least at the median of z/u weighted by |u|: exact, without an optimiser.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from ase import Atoms

from ..errors import BornflowError
from ..inference.checkpoint import Checkpoint
from ..io import frames
from ..models.charges import with_opposite_charges, with_screening

BOOTSTRAPS = 200


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """The value up to which half of all weight lies."""
    order = np.argsort(values)
    heaped = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(heaped, 0.5 * heaped[-1])])


def least_error(labels: np.ndarray, unscreened: np.ndarray) -> float:
    """γ of the least Σ |labels − γ unscreened|."""
    weights = np.abs(np.ravel(unscreened))
    used = weights > 0
    if not used.any():
        raise BornflowError("all charges are zero: no screening can be fitted to Born effective charges")
    return weighted_median(np.ravel(labels)[used] / np.ravel(unscreened)[used], weights[used])


def fit(
    checkpoint: Checkpoint, structures: Sequence[Atoms], predicted: Sequence[Atoms]
) -> tuple[Checkpoint, dict[str, float]]:
    """The model with its γ, and γ with the 95 % interval of a bootstrap over structures.

    `predicted` are the checkpoint's own predictions, whose γ is divided out. Without labelled Born effective
    charges γ stays as it is. Clusters and bulk are fitted together. Where opposite charges have the same
    energy (eq. 5), a negative γ says that training ended with those: it and the charges change their sign.
    """
    pairs = [
        (frames.label(truth, "bec"), frames.label(guess, "bec") / guess.arrays["screening"][:, None, None])
        for truth, guess in zip(structures, predicted, strict=True)
        if frames.label(truth, "bec") is not None
    ]
    if not pairs:
        print(
            "no structure held out has Born effective charges: the screening γ is not fitted and stays at 1; "
            "Born effective charges of this model mean nothing",
            file=sys.stderr,
        )
        return checkpoint, {}
    rng = np.random.default_rng(0)

    def gamma(rows) -> float:
        truth, guess = (np.concatenate([np.ravel(pairs[row][side]) for row in rows]) for side in (0, 1))
        return least_error(truth, guess)

    best = gamma(range(len(pairs)))
    resampled = [gamma(rng.integers(len(pairs), size=len(pairs))) for _ in range(BOOTSTRAPS)]
    low, high = np.percentile(resampled, [2.5, 97.5])
    parameters = checkpoint.parameters
    if best < 0 and checkpoint.model.variant.backbone == "physical":
        parameters, best, low, high = with_opposite_charges(parameters), -best, -high, -low
    fitted = replace(checkpoint, parameters=with_screening(parameters, best))
    return fitted, {"screening": best, "screening_low": float(low), "screening_high": float(high)}
