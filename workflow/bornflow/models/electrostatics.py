"""Electrostatic potentials of learned charges (eqs. 4 and 5).

    V_i = k_e Σ_{j≠i} q_j / r_ij

Isolated structures: the plain sum over all pairs. Periodic structures: the Ewald sum, its real-space
part over the model's own neighbour list, its reciprocal-space part and corrections by jax-pme. The
splitting follows from one accuracy δ: with a = √(−ln δ) the Gaussian width is σ = r_c / (√2 a), and
wave vectors up to √2 a / σ are summed, so both parts are cut off where they have fallen to δ.
"""

import math

import jax.numpy as jnp
from jaxpme.potentials import potential
from jaxpme.solvers import ewald
from jaxtyping import Array, Float

from ..units import COULOMB
from .graph import Graph

_POTENTIAL = potential(exponent=1)
_EWALD = ewald(_POTENTIAL, halfspace=True)


def smearing(cutoff: float, accuracy: float) -> float:
    """Gaussian width σ [Å] of the Ewald splitting."""
    return cutoff / (math.sqrt(2) * math.sqrt(-math.log(accuracy)))


def k_max(cutoff: float, accuracy: float) -> float:
    """Largest wave vector [Å⁻¹] of the reciprocal-space sum."""
    return math.sqrt(2) * math.sqrt(-math.log(accuracy)) / smearing(cutoff, accuracy)


def potentials(
    charges: Float[Array, " atoms"],
    graph: Graph,
    distances: Float[Array, "atoms max"],
    cutoff: float,
    accuracy: float,
) -> Float[Array, " atoms"]:
    """V_i [V] at every atom from `charges` [e]; `distances` are those of the neighbour list [Å].

    A charged periodic cell is neutralised by a uniform background.
    """
    charges = charges * graph.atom_mask
    if graph.kpoints is None:
        return COULOMB * _all_pairs(charges, graph)
    sigma = smearing(cutoff, accuracy)
    # Pairs beyond the cutoff (in the skin of a list) are dropped, as the splitting assumes.
    inside = graph.pair_mask * (distances < cutoff)
    real = jnp.sum(_POTENTIAL.sr(sigma, distances) * inside * charges[graph.neighbours], axis=1)
    reciprocal = 2 * jnp.pi * jnp.linalg.inv(graph.cell).T
    volume = jnp.abs(jnp.linalg.det(graph.cell))
    # jax-pme's convention is half the potential, so that the energy is Σ q V.
    rest = 2 * _EWALD.kspace(
        sigma, charges, graph.kpoints @ reciprocal, graph.positions, volume, graph.cell, None
    )
    return COULOMB * (real + rest) * graph.atom_mask


def _all_pairs(charges: Float[Array, " atoms"], graph: Graph) -> Float[Array, " atoms"]:
    vectors = graph.positions[None, :] - graph.positions[:, None]
    mask = graph.atom_mask[None, :] * graph.atom_mask[:, None]
    mask = mask * (1 - jnp.eye(len(charges), dtype=mask.dtype))
    squares = jnp.where(mask > 0, jnp.sum(vectors**2, axis=-1), 1)
    return jnp.sum(mask / jnp.sqrt(squares) * charges[None, :], axis=1)
