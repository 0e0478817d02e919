"""A model: a variant for given elements, with forces and stress as exact derivatives of its energy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ase.data import atomic_numbers
from jaxtyping import Array, Float

from . import electrostatics
from .charges import SCREENINGS, born_effective_charges
from .graph import Graph, Pairs, Shape, edges, from_neighbours, list_pairs, pad
from .variants import Network, Variant


class Prediction(NamedTuple):
    """What a model predicts for a structure of N atoms, padding included; None is what was not asked for.

    A batch has one more leading axis on every array.
    """

    energy: Float[Array, "*batch"]  # eV, without the baseline
    charges: Float[Array, "*batch atoms"]  # e
    bec: Float[Array, "*batch atoms 3 3"] | None = None  # e, [field, force]
    forces: Float[Array, "*batch atoms 3"] | None = None  # eV/Å, −∂E/∂r
    virial: Float[Array, "*batch 3 3"] | None = None  # eV, ∂E/∂strain, the stress times the volume
    screening: Float[Array, "*batch atoms"] | None = None  # γ_i of coupled models
    effective_charges: Float[Array, "*batch atoms"] | None = None  # e, Q_i = γ_i q_i of coupled models


class Model:
    """A variant for given elements: building graphs on the host, evaluating them on the device."""

    def __init__(self, variant: Variant | Mapping, elements: Sequence[str]):
        self.variant = variant if isinstance(variant, Variant) else Variant(**variant)
        self.elements = tuple(elements)
        self.network = Network(self.variant, len(self.elements))
        self._species = np.full(120, -1)
        for index, element in enumerate(self.elements):
            self._species[atomic_numbers[element]] = index

    @property
    def cutoff(self) -> float:
        """Radius of the neighbour list [Å]."""
        return self.variant.cutoff

    @property
    def screening_is_fitted(self) -> bool:
        """Whether Born effective charges have a factor that is found after training (eq. 7)."""
        screening = SCREENINGS.get(self.variant.charges)
        return screening is not None and screening.fitted

    def species(self, numbers: np.ndarray) -> np.ndarray:
        """Indices into `elements`; −1 for an element the model does not know."""
        return self._species[numbers]

    def pairs(
        self, numbers: np.ndarray, positions: np.ndarray, cell: np.ndarray | None, skin: float = 0.0
    ) -> Pairs:
        """Neighbours up to the cutoff plus `skin` [Å]; a `cell` of None means isolated."""
        limit = electrostatics.k_max(self.cutoff, self.variant.ewald_accuracy)
        return list_pairs(
            self.species(numbers), positions, cell, len(self.elements), self.cutoff + skin, limit
        )

    def graph(
        self,
        numbers: np.ndarray,
        positions: np.ndarray,
        cell: np.ndarray | None,
        shape: Shape | None = None,
        dtype=np.float32,
    ) -> Graph:
        """The padded graph of a structure; a `cell` of None means isolated."""
        return pad(self.pairs(numbers, positions, cell), shape, dtype)

    def initialise(self, graph: Graph, seed: int):
        """Random parameters."""
        return jax.jit(self.network.init)(jax.random.key(seed), graph)

    def evaluate(
        self,
        parameters,
        graph: Graph,
        strained: bool = True,
        fixed_charges: bool = False,
        with_bec: bool = True,
        with_forces: bool = True,
    ) -> Prediction:
        """All that the model predicts for a graph; the virial only if `strained`, what moves in a field only
        `with_bec`, forces and virial only `with_forces`.

        With `fixed_charges` forces and virial are no derivatives of the energy: those of its charges are left
        out, to show what they are needed for.

        Amplitudes are functions of the edge vectors, so one transposed map takes the derivatives with
        respect to them of E and, for coupled models, of Σ_k Q_k to the edges.
        """
        network = partial(self.network.apply, parameters)
        vectors = edges(graph)

        def describe(amplitudes):
            features = network(amplitudes, graph, method="describe")
            return features.scalars, features

        def energy(scalars, vectors, positions, cell):
            moved = replace(graph, positions=positions, cell=cell)
            return network(scalars, vectors, moved, fixed_charges, method="total_energy")

        amplitudes, to_edges = jax.vjp(lambda vectors: network(vectors, graph, method="expand"), vectors)
        scalars, to_amplitudes, features = jax.vjp(describe, amplitudes, has_aux=True)
        changes = []  # of scalars, by which sums change: the energy, the total charge
        if with_forces:
            (total, charges), (by_scalars, by_edges, by_positions, *by_cell) = jax.value_and_grad(
                energy, argnums=(0, 1, 2, 3) if strained else (0, 1, 2), has_aux=True
            )(scalars, vectors, graph.positions, graph.cell)
            changes.append(by_scalars)
        else:
            total, charges = energy(scalars, vectors, graph.positions, graph.cell)
        out = Prediction(total, charges)
        if with_bec and self.network.is_coupled:

            def total_charge(scalars):
                effective, screening = network(scalars, graph, method="effective_charges")
                return jnp.sum(effective), (effective, screening)

            charge_by_scalars, (effective, screening) = jax.grad(total_charge, has_aux=True)(scalars)
            changes.append(charge_by_scalars)
        elif with_bec:
            out = out._replace(bec=network(features, graph, method="tensors"))
        pulled = self._to_edges(to_edges, [to_amplitudes(change)[0] for change in changes])
        if with_bec and self.network.is_coupled:
            bec = born_effective_charges(effective, vectors, pulled[-1], graph)
            out = out._replace(bec=bec, effective_charges=effective, screening=screening)
        if not with_forces:
            return out
        by_edges = by_edges + pulled[0]
        pairs = jnp.sum(by_edges - from_neighbours(by_edges, graph), axis=2)
        out = out._replace(forces=pairs.T - by_positions)
        if strained:
            virial = jnp.einsum("anj,bnj->ab", vectors, by_edges)
            virial += graph.positions.T @ by_positions + graph.cell.T @ by_cell[0]
            out = out._replace(virial=0.5 * (virial + virial.T))
        return out

    @staticmethod
    def _to_edges(to_edges: Callable, changes: Sequence[jax.Array]) -> list[jax.Array]:
        """Derivatives with respect to the edges of one or two sums, from those with respect to amplitudes."""
        if len(changes) < 2:
            return [to_edges(change)[0] for change in changes]
        # One after the other on processors: there a batch of two takes longer than twice one.
        size = None if jax.default_backend() == "cpu" else len(changes)
        return list(jax.lax.map(lambda change: to_edges(change)[0], jnp.stack(changes), batch_size=size))

    @partial(jax.jit, static_argnums=0)
    def __call__(self, parameters, graph: Graph) -> Prediction:
        """`evaluate`, compiled."""
        return self.evaluate(parameters, graph)

    @partial(jax.jit, static_argnums=0)
    def batch(self, parameters, graphs: Graph) -> Prediction:
        """`evaluate` for a batch of graphs of one shape, compiled."""
        return jax.vmap(self.evaluate, in_axes=(None, 0))(parameters, graphs)
