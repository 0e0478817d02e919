"""Predictions of a trained model for structures, labelled or not.

python -m bornflow.training.predict --checkpoint DIR --structures A.extxyz B.extxyz --out P.extxyz
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from ase import Atoms

from .. import cli, jax_setup
from ..composition import composition
from ..inference import checkpoint
from ..inference.checkpoint import Checkpoint
from ..io import frames
from ..models.graph import Graph
from ..models.model import Prediction
from .data import Bucket, make_batch, make_buckets

BATCH_ATOMS = 256  # in a batch


def predict_labels(
    trained: Checkpoint, structures: Sequence[Atoms], buckets: Sequence[Bucket] | None = None
) -> list[Atoms]:
    """The structures with predicted labels, `charges` [e] and, for coupled models, `screening`.

    The structures' own labels are left out. `buckets` are those of `make_buckets` for the same structures.
    Raises BornflowError for an element that the model does not know.
    """
    model = trained.model
    if buckets is None:
        buckets = make_buckets(structures, model, trained.baseline, BATCH_ATOMS, shapes=1)
    predicted: dict[int, Atoms] = {}
    for index, prediction, row in evaluate_batches(partial(model.batch, trained.parameters), buckets):
        atoms = structures[index]
        offset = composition(atoms, model.elements) @ trained.baseline
        predicted[index] = _with_prediction(atoms, prediction, row, offset)
    return [predicted[index] for index in range(len(structures))]


def evaluate_batches(
    evaluate: Callable[[Graph], Any], buckets: Sequence[Bucket]
) -> Iterator[tuple[int, Any, int]]:
    """The index of each structure, what `evaluate` gives for its batch, and its row there."""
    for bucket in buckets:
        for first in range(0, len(bucket.indices), bucket.batch_size):
            rows = np.arange(first, min(first + bucket.batch_size, len(bucket.indices)))
            result = jax.device_get(evaluate(make_batch(bucket, rows).graph))
            for row, index in enumerate(bucket.indices[rows].tolist()):
                yield index, result, row


def _with_prediction(atoms: Atoms, prediction: Prediction, row: int, offset: float) -> Atoms:
    """A copy of a structure with its row of a batch's prediction; `offset` [eV] is its baseline energy."""

    def of_atoms(values: Any) -> np.ndarray:
        return values[row, : len(atoms)].astype(float)

    labels: dict[str, np.ndarray | float | None] = {
        "energy": float(prediction.energy[row]) + offset,
        "forces": of_atoms(prediction.forces),
        "bec": of_atoms(prediction.bec),
    }
    copy = frames.with_labels(frames.without_labels(atoms), labels)
    copy.arrays["charges"] = of_atoms(prediction.charges)
    if prediction.screening is not None:
        copy.arrays["screening"] = of_atoms(prediction.screening)
    return copy


@cli.command
def main() -> None:
    """Write structures with predicted energies, forces, Born effective charges, charges and screening."""
    args = cli.parse(
        main,
        "checkpoint",
        structures=cli.options("extxyz files of structures"),
        out=cli.option("extxyz file to write"),
    )
    jax_setup.configure()
    structures = [frames.without_labels(atoms) for atoms in frames.read_all(args.structures)]
    frames.write(args.out, predict_labels(checkpoint.load(args.checkpoint), structures))


if __name__ == "__main__":
    main()
