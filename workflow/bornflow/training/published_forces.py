"""Errors of forces as the published code returns them, which for `physical` models are no gradient.

    python -m bornflow.training.published_forces --checkpoints DIR0 DIR1 --data A.extxyz \\
        --out forces.csv

F_s is the force from the short-range energy, F_C that from the Coulomb energy, f_C the latter at constant
charges, and g_C the part of f_C from reciprocal space. The published code returns

    charges     clusters      periodic structures
    uncoupled   F_s + f_C     F_s + g_C
    global      F_s           F_s
    local       F_s + 2 F_C   F_s + F_C − f_C + g_C

These were found by comparison with its results (tests/training/test_published_forces.py). g_C depends on the
width σ of the Gaussians, which the weights were fitted to; ACCURACY gives jax-pme's usual σ of a fifth of the
cutoff.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from ase import Atoms
from jaxtyping import Array, Float

from .. import cli, config, jax_setup
from ..errors import BornflowError
from ..inference import checkpoint
from ..inference.batches import make_graphs
from ..inference.checkpoint import Checkpoint
from ..inference.predict import evaluate_batches, predict_labels
from ..io import frames
from ..io.files import atomic_write
from ..models import derivatives, electrostatics
from ..models.graph import Graph, edge_vectors, lengths
from ..models.model import Model
from ..models.types import PerAtom
from . import labelled_sets
from .metrics import error_metrics
from .settings import TrainingSettings

ACCURACY = 3.7e-6  # of the Ewald sums
FORCES = "forces_mae [meV/Å]"

Positions = Float[Array, "atoms 3"]


def returned_forces(model: Model, parameters: Any, graph: Graph) -> Positions:
    """Forces [eV/Å] of a published `physical` model as its own code returns them, padding included."""
    apply: derivatives.Apply = partial(model.network.apply, parameters)
    cutoff, accuracy = model.variant.cutoff, model.variant.ewald_accuracy

    def at(positions: Positions) -> Graph:
        return replace(graph, positions=positions)

    def readout(name: str, positions: Positions) -> PerAtom:
        vectors = edge_vectors(at(positions))
        features = apply(apply(vectors, graph, method="expand"), graph, method="describe")
        return apply(features.scalars, graph, method=lambda network, *inputs: getattr(network, name)(*inputs))

    def short_range(positions: Positions) -> Float[Array, ""]:
        return jnp.sum(readout("energy", positions))

    def coulomb(charges: PerAtom, positions: Positions) -> Float[Array, ""]:
        moved = at(positions)
        found = electrostatics.potentials(charges, moved, lengths(edge_vectors(moved)), cutoff, accuracy)
        return 0.5 * jnp.sum(charges * found)

    def reciprocal(charges: PerAtom, positions: Positions) -> Float[Array, ""]:
        found = electrostatics.reciprocal_potentials(charges, at(positions), cutoff, accuracy)
        return 0.5 * jnp.sum(charges * found)

    def exact(positions: Positions) -> Float[Array, ""]:
        return coulomb(readout("charge", positions), positions)

    def force(energy: Callable[..., Float[Array, ""]], *held: PerAtom) -> Positions:
        return -jax.grad(energy, len(held))(*held, graph.positions)

    forces, charges = force(short_range), readout("charge", graph.positions)
    is_periodic = graph.waves is not None
    if model.variant.charges == "uncoupled":
        return forces + force(reciprocal if is_periodic else coulomb, charges)
    if model.variant.charges == "global":
        return forces
    if not is_periodic:
        return forces + 2 * force(exact)
    return forces + force(exact) - force(coulomb, charges) + force(reciprocal, charges)


def with_returned_forces(published: Checkpoint, structures: Sequence[Atoms]) -> list[Atoms]:
    """The structures with the returned forces in place of theirs.

    Raises BornflowError for a backbone other than `physical`.
    """
    variant = published.model.variant
    if variant.backbone != "physical":
        raise BornflowError(
            f"--checkpoints: a model has backbone {variant.backbone}, whose forces are gradients; omit it"
        )
    model = Model(replace(variant, ewald_accuracy=ACCURACY), published.model.elements)
    evaluate = jax.jit(jax.vmap(partial(returned_forces, model, published.parameters)))
    predicted: dict[int, Atoms] = {}
    for index, found, row in evaluate_batches(evaluate, make_graphs(structures, model)):
        atoms = structures[index]
        labels = {key: frames.label(atoms, key) for key in frames.LABELS}
        labels["forces"] = np.asarray(found[row, : len(atoms)], float)
        predicted[index] = frames.with_labels(atoms, labels)
    return [predicted[index] for index in range(len(structures))]


@cli.command
def main() -> None:
    """Write the errors of forces, as gradients and as returned, of each model for clusters and bulk."""
    args = cli.parse(
        main,
        checkpoints=cli.options("folders of imported `physical` models"),
        data=cli.options("labelled extxyz files"),
        config=cli.option("configuration file; its section training determines how labels are read", None),
        out=cli.option("CSV file to write"),
    )
    jax_setup.configure()
    settings = TrainingSettings.from_section(config.load(args.config, "training"))
    labelled = labelled_sets.read(args.data, settings)
    rows = []
    for folder in args.checkpoints:
        published = checkpoint.load(folder)
        predicted = predict_labels(published, labelled)
        returned = with_returned_forces(published, predicted)
        errors = [error_metrics(labelled, structures) for structures in (predicted, returned)]
        for kind in errors[0]:
            rows.append((published.model.variant.charges, kind, *(table[kind][FORCES] for table in errors)))
    table = pd.DataFrame(
        rows, columns=["charges", "structures_of", f"gradient: {FORCES}", f"returned: {FORCES}"]
    )
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
