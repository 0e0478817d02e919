"""The steps of `Model.evaluate`: energy and total charge of a network, with their derivatives.

    edge vectors R → amplitudes A → features x → E(x, R, r, cell) and, for coupled models, Q_tot(x)

E and Q_tot depend on R through the same map R → A → x. First the derivatives with respect to x are computed.
Then `Description.pull_to_edges` propagates them through the map, for both sums together.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .features import EnergyInputs, Features
from .graph import Graph, at_opposite_pairs
from .types import Amplitudes, PerAtom, Vectors

Apply = Callable[..., Any]  # a method of the network with its parameters: apply(*inputs, method=name)


class Description(NamedTuple):
    """Features of each atom, and the derivatives of the map R → A → x to those that the energy depends on."""

    vectors: Vectors  # Å
    inputs: EnergyInputs  # that the energy depends on
    features: Features
    to_amplitudes: Callable[[EnergyInputs], tuple[Amplitudes]]  # ∂/∂A from ∂/∂x
    to_edges: Callable[[Amplitudes], tuple[Vectors]]  # ∂/∂R from ∂/∂A

    def pull_to_edges(self, by_features: Sequence[EnergyInputs]) -> list[Vectors]:
        """Derivatives of one or two sums with respect to R, from their derivatives with respect to x."""
        by_amplitudes = [self.to_amplitudes(by)[0] for by in by_features]
        if len(by_amplitudes) < 2:
            return [self.to_edges(by)[0] for by in by_amplitudes]
        # On processors one after the other: a batch of two takes longer than two separate passes.
        size = None if jax.default_backend() == "cpu" else len(by_amplitudes)
        return list(jax.lax.map(lambda by: self.to_edges(by)[0], jnp.stack(by_amplitudes), batch_size=size))


def describe(apply: Apply, vectors: Vectors, graph: Graph) -> Description:
    """Features from the edge vectors [Å] of a graph."""

    def inputs_of(amplitudes: Amplitudes) -> tuple[EnergyInputs, Features]:
        features = apply(amplitudes, graph, method="describe")
        return apply(features, method="energy_inputs"), features

    amplitudes, to_edges = jax.vjp(lambda vectors: apply(vectors, graph, method="expand"), vectors)
    inputs, to_amplitudes, features = jax.vjp(inputs_of, amplitudes, has_aux=True)
    return Description(vectors, inputs, features, to_amplitudes, to_edges)


class EnergyGradient(NamedTuple):
    """Partial derivatives of the energy; `by_edges` is taken at constant features."""

    by_features: EnergyInputs  # eV
    by_edges: Vectors  # eV/Å
    by_positions: Float[Array, "atoms 3"]  # eV/Å, of the long-range sum alone
    by_cell: Float[Array, "3 3"] | None = None  # eV/Å, of the long-range sum alone


class Energy(NamedTuple):
    """Energy [eV] and charges [e], with a gradient if forces are requested."""

    total: Float[Array, ""]
    charges: PerAtom
    gradient: EnergyGradient | None = None


def energy(
    apply: Apply,
    description: Description,
    graph: Graph,
    fixed_charges: bool,
    with_forces: bool,
    with_virial: bool,
) -> Energy:
    """Energy and charges, with the derivatives for the forces and, if requested, for the virial."""

    def total_energy(
        inputs: EnergyInputs, vectors: Vectors, positions: Float[Array, "atoms 3"], cell: Float[Array, "3 3"]
    ) -> tuple[Float[Array, ""], PerAtom]:
        moved = replace(graph, positions=positions, cell=cell)
        return apply(inputs, vectors, moved, fixed_charges, method="total_energy")

    inputs = description.inputs, description.vectors, graph.positions, graph.cell
    if not with_forces:
        return Energy(*total_energy(*inputs))
    argnums = (0, 1, 2, 3) if with_virial else (0, 1, 2)
    (total, charges), gradient = jax.value_and_grad(total_energy, argnums, has_aux=True)(*inputs)
    return Energy(total, charges, EnergyGradient(*gradient))


class Charge(NamedTuple):
    """Effective charges Q_i [e], screening γ_i, and the derivative of Σ_i Q_i with respect to features."""

    effective: PerAtom
    screening: PerAtom
    by_features: EnergyInputs


def total_charge(apply: Apply, inputs: EnergyInputs, graph: Graph) -> Charge:
    """Effective charges of a coupled model, with the derivative of their sum."""

    def sum_of_charges(inputs: EnergyInputs) -> tuple[Float[Array, ""], tuple[PerAtom, PerAtom]]:
        effective, screening = apply(inputs.scalars, graph, method="effective_charges")
        return jnp.sum(effective), (effective, screening)

    by_features, (effective, screening) = jax.grad(sum_of_charges, has_aux=True)(inputs)
    return Charge(effective, screening, by_features)


def forces_and_virial(
    gradient: EnergyGradient, by_features: Vectors, vectors: Vectors, graph: Graph
) -> tuple[Float[Array, "atoms 3"], Float[Array, "3 3"] | None]:
    """Forces [eV/Å] and virial [eV]; no virial without the derivative with respect to the cell.

    G = ∂E/∂R is the sum of `gradient`, at constant features, and `by_features`, through the features:
      F_i = Σ_j (G_ij − G_ji) − ∂E/∂r_i
      ∂E/∂strain = Σ_ij R_ij ⊗ G_ij + Σ_i r_i ⊗ ∂E/∂r_i + cellᵀ ∂E/∂cell, symmetrised
    """
    by_edges = gradient.by_edges + by_features
    pairs = jnp.sum(by_edges - at_opposite_pairs(by_edges, graph), axis=2)
    forces = pairs.T - gradient.by_positions
    if gradient.by_cell is None:
        return forces, None
    virial = jnp.einsum("anj,bnj->ab", vectors, by_edges)
    virial += graph.positions.T @ gradient.by_positions + graph.cell.T @ gradient.by_cell
    return forces, 0.5 * (virial + virial.T)
