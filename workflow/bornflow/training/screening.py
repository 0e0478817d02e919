"""The one screening γ of a coupled model with Q_i = γ q_i (eq. 7), fitted after training.

Born effective charges are linear in γ: Z = γ U, with U those for γ = 1. The sum of absolute errors

    Σ |z − γ u| = Σ |u| |z/u − γ|

over all components is smallest for γ equal to the median of z/u weighted by |u|. This is exact and needs no
optimiser.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from ase import Atoms
from jaxtyping import Float

from ..errors import BornflowError
from ..inference.checkpoint import Checkpoint
from ..io import frames
from ..models.charges import with_opposite_charges, with_screening

logger = logging.getLogger(__name__)

BOOTSTRAPS = 200


def weighted_median(values: Float[np.ndarray, " values"], weights: Float[np.ndarray, " values"]) -> float:
    """The smallest value with at least half of the total weight at or below it."""
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulative, 0.5 * cumulative[-1])])


def best_screening(
    labels: Float[np.ndarray, " *components"], unscreened: Float[np.ndarray, " *components"]
) -> float:
    """γ with the smallest Σ |labels − γ unscreened|. Raises BornflowError if `unscreened` is zero."""
    weights = np.abs(np.ravel(unscreened))
    used = weights > 0
    if not used.any():
        raise BornflowError(
            "all charges are zero: no screening can be fitted to Born effective charges; train for more "
            "epochs, or with other labels"
        )
    return weighted_median(np.ravel(labels)[used] / np.ravel(unscreened)[used], weights[used])


def fit(
    trained: Checkpoint, structures: Sequence[Atoms], predicted: Sequence[Atoms]
) -> tuple[Checkpoint, dict[str, float]]:
    """The model with its fitted γ, and γ with the 95 % interval of a bootstrap over structures.

    `predicted` are the model's own predictions, divided by its γ before the fit. Clusters and bulk are fitted
    together. Without labelled Born effective charges γ is not changed. If opposite charges have the same
    energy (eq. 5), a negative γ means that training ended with opposite charges. Then the signs of γ and of
    the charges are changed.
    """
    pairs = []
    for truth, guess in zip(structures, predicted, strict=True):
        bec = frames.label(truth, "bec")
        if bec is not None:
            unscreened = np.asarray(frames.label(guess, "bec")) / guess.arrays["screening"][:, None, None]
            pairs.append((np.ravel(bec), np.ravel(unscreened)))
    if not pairs:
        logger.warning(
            "no held-out structure has Born effective charges: the screening γ is not fitted and stays at 1; "
            "do not use Born effective charges of this model"
        )
        return trained, {}
    rng = np.random.default_rng(0)

    def gamma(rows: Sequence[int]) -> float:
        labels, unscreened = (np.concatenate([pairs[row][side] for row in rows]) for side in (0, 1))
        return best_screening(labels, unscreened)

    best = gamma(range(len(pairs)))
    resampled = [gamma(rng.integers(len(pairs), size=len(pairs)).tolist()) for _ in range(BOOTSTRAPS)]
    low, high = np.percentile(resampled, [2.5, 97.5])
    parameters = trained.parameters
    if best < 0 and trained.model.variant.backbone == "physical":
        parameters, best, low, high = with_opposite_charges(parameters), -best, -high, -low
    fitted = replace(trained, parameters=with_screening(parameters, best))
    return fitted, {"screening": best, "screening_low": float(low), "screening_high": float(high)}
