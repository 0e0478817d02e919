"""The loss of a batch (eqs. 13 and 14 of the paper).

    L = w_E (ΔE/N)² + w_F ⟨ΔF²⟩ + w_Z ⟨ΔZ²⟩ + w_q (Σq − Q)² / ((Σ|q|)² + ε)

Q is the total charge, 0 in the paper. In charged structures the effective charges γ_i q_i of a model that
predicts them take the place of the q_i, since they add up to Q.

Means are taken over atoms and components of a structure, then over the structures of the batch that have the
label. All batches have equal weight: a box that fills a batch weighs as much as all clusters of another
batch.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..models.model import Prediction
from .data import Batch

LOSS_TERMS = ("energy", "forces", "bec", "charge")
EPSILON = 1e-6  # e², so that eq. 14 stays finite when all charges vanish


def terms_by_structure(prediction: Prediction, batch: Batch) -> dict[str, Float[Array, " batch"]]:
    """The unweighted loss terms of each structure: energy, forces, bec, charge.

    A term is 0 where the label or the prediction is missing.
    """
    atoms = batch.graph.atom_mask.sum(axis=1)
    energy = ((prediction.energy - batch.energy) / atoms) ** 2
    forces, bec = jnp.zeros_like(energy), jnp.zeros_like(energy)
    if prediction.forces is not None:
        forces = jnp.sum((prediction.forces - batch.forces) ** 2, axis=(1, 2)) / (3 * atoms)
    if prediction.bec is not None:
        bec = jnp.sum((prediction.bec - batch.bec) ** 2, axis=(1, 2, 3)) / (9 * atoms)
    charge = _charge_term(prediction, batch)
    return {
        "energy": energy * batch.has_energy,
        "forces": forces * batch.has_forces,
        "bec": bec * batch.has_bec,
        "charge": charge * batch.is_structure,
    }


def _charge_term(prediction: Prediction, batch: Batch) -> Float[Array, " batch"]:
    """(Σq − Q)² / ((Σ|q|)² + ε) of each structure."""
    charge, charges = batch.graph.charge, prediction.charges
    if prediction.effective_charges is not None:
        charges = jnp.where(charge[:, None] == 0, charges, prediction.effective_charges)
    excess = charges.sum(axis=1) - charge
    return excess**2 / (jnp.abs(charges).sum(axis=1) ** 2 + EPSILON)


def label_counts(batch: Batch) -> dict[str, Float[Array, ""]]:
    """The number of structures in a batch that have the label of each loss term."""
    weights = {
        "energy": batch.has_energy,
        "forces": batch.has_forces,
        "bec": batch.has_bec,
        "charge": batch.is_structure,
    }
    return {key: jnp.sum(values) for key, values in weights.items()}


def mean_terms(terms: Mapping[str, jax.Array], batch: Batch) -> dict[str, Float[Array, ""]]:
    """The mean of each loss term over the structures of a batch that have its label; 0 where none has."""
    counts = label_counts(batch)
    return {key: jnp.sum(values) / jnp.maximum(counts[key], 1) for key, values in terms.items()}


def terms_of_zero(batch: Batch) -> dict[str, float]:
    """The mean loss terms of a model that predicts zero."""
    zero = Prediction(
        energy=jnp.zeros_like(batch.energy),
        charges=jnp.zeros_like(batch.graph.atom_mask),
        bec=jnp.zeros_like(batch.bec),
        forces=jnp.zeros_like(batch.forces),
    )
    return {key: float(value) for key, value in mean_terms(terms_by_structure(zero, batch), batch).items()}
