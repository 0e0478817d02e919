"""Metrics of a model: errors of predicted labels (MAE, RMSE, R²), and sums and screenings of its charges."""

from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from ..electrons import total_charge
from ..io import frames

# Units that errors are reported in: name, factor from the unit of the labels.
REPORTED = {"energy": ("meV/atom", 1e3), "forces": ("meV/Å", 1e3), "bec": ("1e-3 e", 1e3)}
DIAGONAL = np.eye(3, dtype=bool)
# Components of Born effective charges [N, 3, 3] whose errors are reported separately; all are linear in Z.
COMPONENTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "diagonal": lambda z: z[:, DIAGONAL],
    "off_diagonal": lambda z: z[:, ~DIAGONAL],
    "isotropic": lambda z: np.trace(z, axis1=1, axis2=2) / 3,  # tr Z / 3
    "antisymmetric": lambda z: (z - z.transpose(0, 2, 1))[:, *np.triu_indices(3, 1)] / 2,
    "anisotropic": lambda z: (
        (z + z.transpose(0, 2, 1)) / 2 - np.trace(z, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)
    ),
}

Metrics = dict[str, float | int]


def error_metrics(labelled: Sequence[Atoms], predicted: Sequence[Atoms]) -> dict[str, Metrics]:
    """MAE, RMSE and R² of energy per atom, forces and Born effective charges for `all`, `cluster`, `bulk`.

    Keys are like `bec_mae [1e-3 e]`; quantities without labels are left out. `bec_isotropic_mae` and similar
    keys are errors of components of Z (COMPONENTS). `bec_sum_rule` is the mean over structures of the largest
    component of |Σ_i Z_i − Q·1| of the predictions, with the total charge Q; `screening_H` and similar keys
    are means of γ_i of coupled models.
    """
    table = {}
    for kind in ("all", "cluster", "bulk"):
        pairs = [
            (truth, guess)
            for truth, guess in zip(labelled, predicted, strict=True)
            if kind in ("all", frames.kind(truth))
        ]
        if pairs:
            table[kind] = _metrics(pairs)
    return table


def _metrics(pairs: Sequence[tuple[Atoms, Atoms]]) -> Metrics:
    """The metrics of pairs of a labelled structure and its prediction."""
    predicted = [guess for _, guess in pairs]
    row: Metrics = {"structures": len(pairs)}
    for key in REPORTED:
        row |= _errors(key, pairs)
    row |= _component_errors(pairs)
    row |= _mean_screenings([guess for guess in predicted if "screening" in guess.arrays])
    residuals = [
        np.asarray(frames.label(guess, "bec")).sum(axis=0) - total_charge(guess) * np.eye(3)
        for guess in predicted
    ]
    row["bec_sum_rule [e]"] = float(np.mean([np.abs(residual).max() for residual in residuals]))
    return row


def _errors(key: str, pairs: Sequence[tuple[Atoms, Atoms]]) -> Metrics:
    """Errors of one labelled quantity."""
    unit, factor = REPORTED[key]
    truths, guesses = [], []
    for truth, guess in pairs:
        label = frames.label(truth, key)
        if label is None:
            continue
        scale = factor / (len(truth) if key == "energy" else 1)
        truths.append(np.ravel(label) * scale)
        guesses.append(np.ravel(np.asarray(frames.label(guess, key))) * scale)
    if not truths:
        return {}
    scores = _scores(key, unit, np.concatenate(truths), np.concatenate(guesses))
    return {f"{key}_structures": len(truths), **scores}


def _component_errors(pairs: Sequence[tuple[Atoms, Atoms]]) -> Metrics:
    """Errors of the COMPONENTS of Born effective charges."""
    labels, guesses = [], []
    for truth, guess in pairs:
        bec = frames.label(truth, "bec")
        if bec is not None:
            labels.append(np.asarray(bec))
            guesses.append(np.asarray(frames.label(guess, "bec")))
    row: Metrics = {}
    if labels:
        unit, factor = REPORTED["bec"]
        truths, predictions = (factor * np.concatenate(values) for values in (labels, guesses))
        for name, component in COMPONENTS.items():
            values, predicted = np.ravel(component(truths)), np.ravel(component(predictions))
            row |= _scores(f"bec_{name}", unit, values, predicted)
    return row


def _mean_screenings(predicted: Sequence[Atoms]) -> Metrics:
    """Mean screening γ_i of each element."""
    if not predicted:
        return {}
    symbols = np.concatenate([np.asarray(atoms.symbols) for atoms in predicted])
    values = np.concatenate([np.asarray(atoms.arrays["screening"]) for atoms in predicted])
    return {f"screening_{symbol}": float(values[symbols == symbol].mean()) for symbol in np.unique(symbols)}


def _scores(
    name: str, unit: str, truth: Float[np.ndarray, " values"], guess: Float[np.ndarray, " values"]
) -> Metrics:
    residual = guess - truth
    row: Metrics = {
        f"{name}_mae [{unit}]": float(np.abs(residual).mean()),
        f"{name}_rmse [{unit}]": float(np.sqrt((residual**2).mean())),
    }
    spread = float(((truth - truth.mean()) ** 2).sum())
    if spread > 0:
        row[f"{name}_r2"] = 1 - float((residual**2).sum()) / spread
    return row
