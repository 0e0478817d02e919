"""Predictions of a trained model for structures, labelled or not.

python -m bornflow.inference.predict --checkpoint DIR --structures A.extxyz B.extxyz --out P.extxyz
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from ase import Atoms

from .. import cli, jax_setup
from ..composition import composition
from ..io import frames
from ..models.graph import Graph
from ..models.model import Prediction
from . import checkpoint
from .batches import Graphs, make_graphs, take_rows
from .checkpoint import Checkpoint


def predict_labels(
    trained: Checkpoint, structures: Sequence[Atoms], graphs: Sequence[Graphs] | None = None
) -> list[Atoms]:
    """The structures with predicted labels, `charges` [e] and, for coupled models, `screening`.

    The structures' own labels are left out. `graphs` are those of `make_graphs` for the same structures.
    Raises BornflowError for an element that the model does not know.
    """
    predicted = dict(predictions(trained, structures, graphs))
    return [predicted[index] for index in range(len(structures))]


def predictions(
    trained: Checkpoint, structures: Sequence[Atoms], graphs: Sequence[Graphs] | None = None
) -> Iterator[tuple[int, Atoms]]:
    """The same as `predict_labels`, one structure after the other, with the index of each."""
    model = trained.model
    evaluate = partial(model.batch, trained.parameters)
    for index, prediction, row in evaluate_batches(evaluate, graphs or make_graphs(structures, model)):
        atoms = structures[index]
        offset = composition(atoms, model.elements) @ trained.baseline
        yield index, _with_prediction(atoms, prediction, row, offset)


def evaluate_batches(
    evaluate: Callable[[Graph], Any], graphs: Sequence[Graphs]
) -> Iterator[tuple[int, Any, int]]:
    """The index of each structure, what `evaluate` gives for its batch, and its row there."""
    for group in graphs:
        for first in range(0, len(group.indices), group.batch_size):
            rows = np.arange(first, min(first + group.batch_size, len(group.indices)))
            result = jax.device_get(evaluate(take_rows(group.stacked, rows, group.batch_size)))
            for row, index in enumerate(group.indices[rows].tolist()):
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
