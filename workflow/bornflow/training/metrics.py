"""Predictions for labelled frames, and how far they are from the labels."""

from collections.abc import Callable, Sequence

import jax
import numpy as np
from ase import Atoms

from ..composition import composition
from ..inference.checkpoint import Checkpoint
from ..io import frames
from ..models.model import Model, Prediction
from .data import Bucket, prepare, take

# Units that errors are reported in: name, factor from the frames' unit.
REPORTED = {"energy": ("meV/atom", 1e3), "forces": ("meV/Å", 1e3), "bec": ("1e-3 e", 1e3)}
BATCH_ATOMS = 256  # of a batch that is predicted
DIAGONAL = np.eye(3, dtype=bool)
# Parts of Born effective charges [N, 3, 3] whose errors are reported by themselves; they are linear in Z.
COMPONENTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "diagonal": lambda z: z[:, DIAGONAL],
    "off_diagonal": lambda z: z[:, ~DIAGONAL],
    "isotropic": lambda z: np.trace(z, axis1=1, axis2=2) / 3,  # tr Z / 3
    "antisymmetric": lambda z: (z - z.transpose(0, 2, 1))[:, *np.triu_indices(3, 1)] / 2,
    "anisotropic": lambda z: (
        (z + z.transpose(0, 2, 1)) / 2 - np.trace(z, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)
    ),
}


def predict(
    checkpoint: Checkpoint, structures: Sequence[Atoms], buckets: Sequence[Bucket] | None = None
) -> list[Atoms]:
    """The structures with predicted labels, charges [e], and screening if any; none of their own labels."""
    model = checkpoint.model
    if buckets is None:
        buckets = prepare(structures, model, checkpoint.baseline, BATCH_ATOMS, shapes=1)
    predicted: list[Atoms | None] = [None] * len(structures)
    for bucket in buckets:
        for first in range(0, len(bucket.indices), bucket.batch_size):
            rows = np.arange(first, min(first + bucket.batch_size, len(bucket.indices)))
            out = _outputs(model, checkpoint.parameters, take(bucket, rows).graph)
            for place, row in enumerate(rows):
                index = bucket.indices[row]
                atoms = structures[index]
                n = len(atoms)
                offset = composition(atoms, model.elements) @ checkpoint.baseline
                values = {
                    "energy": float(out.energy[place]) + offset,
                    "forces": out.forces[place, :n].astype(float),
                    "bec": out.bec[place, :n].astype(float),
                }
                new = frames.with_labels(frames.without_labels(atoms), values)
                for key in ("charges", "screening"):
                    if (found := getattr(out, key)) is not None:
                        new.arrays[key] = found[place, :n].astype(float)
                predicted[index] = new
    return predicted


def _outputs(model: Model, parameters, graph) -> Prediction:
    return jax.device_get(model.batch(parameters, graph))


def errors(labelled: Sequence[Atoms], predicted: Sequence[Atoms]) -> dict[str, dict[str, float | int]]:
    """MAE, RMSE and R² of energy per atom, forces and BEC for `all`, `cluster` and `bulk`.

    Keys like `bec_mae [1e-3 e]`; quantities without labels are left out. `bec_isotropic_mae` and its like
    are those of parts of Z (COMPONENTS), `bec_sum_rule` is the mean over structures of the largest
    component of |Σ_i Z_i| of the predictions, `screening_H` and its like are means of γ_i of coupled models.
    """
    table = {}
    for part in ("all", "cluster", "bulk"):
        pairs = [
            (truth, guess)
            for truth, guess in zip(labelled, predicted, strict=True)
            if part in ("all", frames.kind(truth))
        ]
        if pairs:
            table[part] = _part(pairs)
    return table


def _part(pairs: Sequence[tuple[Atoms, Atoms]]) -> dict[str, float | int]:
    row: dict[str, float | int] = {"structures": len(pairs)}
    for key, (unit, factor) in REPORTED.items():
        truths, guesses = [], []
        for truth, guess in pairs:
            label = frames.label(truth, key)
            if label is None:
                continue
            scale = factor / (len(truth) if key == "energy" else 1)
            truths.append(np.ravel(label) * scale)
            guesses.append(np.ravel(frames.label(guess, key)) * scale)
        if not truths:
            continue
        row[f"{key}_structures"] = len(truths)
        row |= _scores(key, unit, np.concatenate(truths), np.concatenate(guesses))
    charges = [
        (frames.label(truth, "bec"), frames.label(guess, "bec"))
        for truth, guess in pairs
        if frames.label(truth, "bec") is not None
    ]
    if charges:
        unit, factor = REPORTED["bec"]
        truth, guess = (factor * np.concatenate(side) for side in zip(*charges, strict=True))
        for name, component in COMPONENTS.items():
            row |= _scores(f"bec_{name}", unit, np.ravel(component(truth)), np.ravel(component(guess)))
    screened = [guess for _, guess in pairs if "screening" in guess.arrays]
    if screened:
        symbols, values = (
            np.concatenate([np.asarray(part) for part in parts])
            for parts in ([a.symbols for a in screened], [a.arrays["screening"] for a in screened])
        )
        for symbol in np.unique(symbols):
            row[f"screening_{symbol}"] = float(values[symbols == symbol].mean())
    residuals = [np.abs(frames.label(guess, "bec").sum(axis=0)).max() for _, guess in pairs]
    row["bec_sum_rule [e]"] = float(np.mean(residuals))
    return row


def _scores(name: str, unit: str, truth: np.ndarray, guess: np.ndarray) -> dict[str, float]:
    residual = guess - truth
    row = {
        f"{name}_mae [{unit}]": float(np.abs(residual).mean()),
        f"{name}_rmse [{unit}]": float(np.sqrt((residual**2).mean())),
    }
    spread = float(((truth - truth.mean()) ** 2).sum())
    if spread > 0:
        row[f"{name}_r2"] = 1 - float((residual**2).sum()) / spread
    return row
