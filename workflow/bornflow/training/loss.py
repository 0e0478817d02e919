"""The loss of a batch (eqs. 13 and 14 of the paper).

    L = w_E (ΔE/N)² + w_F ⟨ΔF²⟩ + w_Z ⟨ΔZ²⟩ + w_q (Σq)² / ((Σ|q|)² + ε)

Means run over atoms and components of a structure, then over the structures of the batch that have the label.
A batch counts as much as any other: a box that fills one weighs as much as the clusters of another together.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from ..models.model import Prediction
from .data import Batch

TERMS = ("energy", "forces", "bec", "charge")
EPSILON = 1e-6  # e², keeps eq. 14 finite when all charges vanish


def by_structure(prediction: Prediction, batch: Batch) -> dict[str, jax.Array]:
    """The terms of each structure [batch], unweighted: energy, forces, bec, charge; 0 without a label, or
    a prediction of it."""
    atoms = batch.graph.atom_mask.sum(axis=1)
    energy = ((prediction.energy - batch.energy) / atoms) ** 2
    forces, bec = jnp.zeros_like(energy), jnp.zeros_like(energy)
    if prediction.forces is not None:
        forces = jnp.sum((prediction.forces - batch.forces) ** 2, axis=(1, 2)) / (3 * atoms)
    if prediction.bec is not None:
        bec = jnp.sum((prediction.bec - batch.bec) ** 2, axis=(1, 2, 3)) / (9 * atoms)
    total, absolute = (f(prediction.charges).sum(axis=1) for f in (lambda q: q, jnp.abs))
    charge = total**2 / (absolute**2 + EPSILON)
    return {
        "energy": energy * batch.has_energy,
        "forces": forces * batch.has_forces,
        "bec": bec * batch.has_bec,
        "charge": charge * batch.counts,
    }


def numbers(batch: Batch) -> dict[str, jax.Array]:
    """How many structures of a batch have the label of each term."""
    held = {"energy": batch.has_energy, "forces": batch.has_forces, "bec": batch.has_bec}
    return {key: jnp.sum(values) for key, values in (held | {"charge": batch.counts}).items()}


def means(terms: Mapping[str, jax.Array], batch: Batch) -> dict[str, jax.Array]:
    """The mean of each term over the structures of a batch that have its label; 0 where none has."""
    held = numbers(batch)
    return {key: jnp.sum(values) / jnp.maximum(held[key], 1) for key, values in terms.items()}


def scale(batch: Batch) -> dict[str, float]:
    """The mean of each term over the structures that have its label, for a prediction of zero."""
    zero = Prediction(
        energy=jnp.zeros_like(batch.energy),
        charges=jnp.zeros_like(batch.graph.atom_mask),
        bec=jnp.zeros_like(batch.bec),
        forces=jnp.zeros_like(batch.forces),
    )
    return {key: float(value) for key, value in means(by_structure(zero, batch), batch).items()}
