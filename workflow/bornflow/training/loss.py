"""The loss of a batch (eqs. 13 and 14 of the paper).

    L = w_E (ΔE/N)² + w_F ⟨ΔF²⟩ + w_Z ⟨ΔZ²⟩ + w_q (Σq)² / ((Σ|q|)² + ε)

Means run over atoms and components of a structure, then over the structures that have the label.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from .data import Batch

EPSILON = 1e-6  # e², keeps eq. 14 finite when all charges vanish


def loss(
    prediction: Mapping[str, jax.Array], batch: Batch, weights: Mapping[str, float]
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The loss and its unweighted terms, keyed like `weights` (energy, forces, bec, charge)."""
    atoms = batch.graph.atom_mask.sum(axis=1)
    energy = ((prediction["energy"] - batch.energy) / atoms) ** 2
    forces = jnp.sum((prediction["forces"] - batch.forces) ** 2, axis=(1, 2)) / (3 * atoms)
    bec = jnp.sum((prediction["bec"] - batch.bec) ** 2, axis=(1, 2, 3)) / (9 * atoms)
    total, absolute = (f(prediction["charges"]).sum(axis=1) for f in (lambda q: q, jnp.abs))
    charge = total**2 / (absolute**2 + EPSILON)
    terms = {
        "energy": _mean(energy, batch.has_energy),
        "forces": _mean(forces, batch.has_forces),
        "bec": _mean(bec, batch.has_bec),
        "charge": _mean(charge, jnp.ones_like(charge)),
    }
    return sum(weights[key] * term for key, term in terms.items()), terms


def _mean(values: jax.Array, present: jax.Array) -> jax.Array:
    return jnp.sum(values * present) / jnp.maximum(jnp.sum(present), 1)
