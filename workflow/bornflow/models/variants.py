"""A model: the variant's parts put together, with forces and stress as exact gradients.

A variant is an entry of the configuration's `models`: which backbone describes the atoms and how
Born effective charges arise. Nothing here branches on a variant's name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ase.data import atomic_numbers

from . import electrostatics
from .basis import Radial
from .charges import SCREENINGS, born_effective_charges
from .features import Features, Readout
from .graph import Graph, Pairs, Shape, edges, from_neighbours, lengths, list_pairs, pad
from .heads import HEADS
from .lorem import Lorem, PotentialEnergy
from .physical import CoulombEnergy, Physical

BACKBONES = {"physical": (Physical, CoulombEnergy), "lorem": (Lorem, PotentialEnergy)}


class Network(nn.Module):
    """The parts of a variant and how they are joined; `Model.evaluate` takes the derivatives.

    E = Σ_i ε(x_i) + Σ_i E_lr(x_i, q_i, V_i), without the baseline, with the long-range energy of the
    backbone (eqs. 5 and 6). Coupled models have a `screening` γ_i, uncoupled ones a tensor `bec`.
    """

    variant: Mapping
    n_species: int

    @property
    def is_coupled(self) -> bool:
        """Whether Born effective charges come from the charges that make the energy."""
        return self.variant["charges"] in SCREENINGS

    def setup(self):
        options = self.variant
        descriptor, long_range = BACKBONES[options["backbone"]]
        self.backbone = descriptor(
            n_species=self.n_species,
            radial=Radial(options["radial"], options["cutoff"], options["radial_decay"]),
            harmonics=options["harmonics"],
            invariants=options["invariants"],
            max_degree=options["max_degree"],
            embedding=options["embedding"],
            features=options["features"],
            channels=options["channels"],
        )
        self.energy = Readout(descriptor.energy_widths)
        self.charge = Readout(descriptor.charge_widths, n_species=self.n_species)
        self.long_range = long_range(options["features"])
        if self.is_coupled:
            self.screening = SCREENINGS[options["charges"]]()
        else:
            self.bec = HEADS[options["tensor_head"]](self.n_species, options["tensor_channels"])

    def expand(self, vectors: jax.Array, graph: Graph) -> jax.Array:
        """Amplitudes of the density around each atom, which the edge vectors that leave it make."""
        return self.backbone.expand(vectors, graph)

    def describe(self, amplitudes: jax.Array, graph: Graph) -> Features:
        """Features of each atom from its amplitudes."""
        return self.backbone(amplitudes, graph)

    def total_energy(
        self, scalars: jax.Array, vectors: jax.Array, graph: Graph, fixed_charges: bool = False
    ) -> tuple[jax.Array, jax.Array]:
        """Energy [eV], and charges [e]; with `fixed_charges` the energy's derivatives leave theirs out."""
        charges = self.charge(scalars, graph)
        if self.variant["neutral"]:
            charges -= graph.atom_mask * jnp.sum(charges) / jnp.sum(graph.atom_mask)
        if fixed_charges:
            charges = jax.lax.stop_gradient(charges)
        potentials = electrostatics.potentials(
            charges, graph, lengths(vectors), self.variant["cutoff"], self.variant["ewald_accuracy"]
        )
        energies = self.energy(scalars, graph) + self.long_range(scalars, charges, potentials, graph)
        return jnp.sum(energies), charges

    def effective_charges(self, scalars: jax.Array, graph: Graph) -> tuple[jax.Array, jax.Array]:
        """Q_i = γ_i q_i [e], and the screening γ_i."""
        screening = self.screening(scalars, graph)
        return screening * self.charge(scalars, graph), screening

    def tensors(self, features: Features, graph: Graph) -> jax.Array:
        """Born effective charges [e] of the tensor head."""
        return self.bec(features, graph) * graph.atom_mask[:, None, None]

    def __call__(self, graph: Graph) -> None:
        """A pass through all parts, to give them parameters."""
        vectors = edges(graph)
        features = self.describe(self.expand(vectors, graph), graph)
        self.total_energy(features.scalars, vectors, graph)
        if self.is_coupled:
            self.effective_charges(features.scalars, graph)
        else:
            self.tensors(features, graph)


class Model:
    """A variant for given elements: building graphs on the host, evaluating them on the device."""

    def __init__(self, variant: Mapping, elements: Sequence[str]):
        self.variant = dict(variant)
        self.elements = tuple(elements)
        self.network = Network(nn.FrozenDict(self.variant), len(self.elements))
        self._species = np.full(120, -1)
        for index, element in enumerate(self.elements):
            self._species[atomic_numbers[element]] = index

    @property
    def cutoff(self) -> float:
        """Radius of the neighbour list [Å]."""
        return self.variant["cutoff"]

    @property
    def screening_is_fitted(self) -> bool:
        """Whether Born effective charges have a factor that is found after training (eq. 7)."""
        screening = SCREENINGS.get(self.variant["charges"])
        return screening is not None and screening.fitted

    def species(self, numbers: np.ndarray) -> np.ndarray:
        """Indices into `elements`; −1 for an element the model does not know."""
        return self._species[numbers]

    def pairs(
        self, numbers: np.ndarray, positions: np.ndarray, cell: np.ndarray | None, skin: float = 0.0
    ) -> Pairs:
        """Neighbours up to the cutoff plus `skin` [Å]; a `cell` of None means isolated."""
        limit = electrostatics.k_max(self.cutoff, self.variant["ewald_accuracy"])
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
    ) -> dict[str, jax.Array]:
        """All that the model predicts for a graph; the virial only if `strained`, what moves in a field only
        `with_bec`, forces and virial only `with_forces`.

        With `fixed_charges` forces and virial are no derivatives of the energy: those of its charges are left
        out, to show what they are needed for.

        energy [eV], charges [N] [e], bec [N, 3, 3] [e], forces [N, 3] [eV/Å] = −∂E/∂r, virial [3, 3]
        [eV] = ∂E/∂strain (stress times volume); of coupled models screening [N] γ_i and effective_charges [N]
        Q_i [e].

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
        out = {"energy": total, "charges": charges}
        if with_bec and self.network.is_coupled:

            def total_charge(scalars):
                effective, screening = network(scalars, graph, method="effective_charges")
                return jnp.sum(effective), (effective, screening)

            charge_by_scalars, (effective, out["screening"]) = jax.grad(total_charge, has_aux=True)(scalars)
            changes.append(charge_by_scalars)
        elif with_bec:
            out["bec"] = network(features, graph, method="tensors")
        pulled = self._to_edges(to_edges, [to_amplitudes(change)[0] for change in changes])
        if with_bec and self.network.is_coupled:
            out["effective_charges"] = effective
            out["bec"] = born_effective_charges(effective, vectors, pulled[-1], graph)
        if not with_forces:
            return out
        by_edges = by_edges + pulled[0]
        pairs = jnp.sum(by_edges - from_neighbours(by_edges, graph), axis=2)
        out["forces"] = pairs.T - by_positions
        if strained:
            virial = jnp.einsum("anj,bnj->ab", vectors, by_edges)
            virial += graph.positions.T @ by_positions + graph.cell.T @ by_cell[0]
            out["virial"] = 0.5 * (virial + virial.T)
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
    def __call__(self, parameters, graph: Graph) -> dict[str, jax.Array]:
        """`evaluate`, compiled."""
        return self.evaluate(parameters, graph)

    @partial(jax.jit, static_argnums=0)
    def batch(self, parameters, graphs: Graph) -> dict[str, jax.Array]:
        """`evaluate` for a batch of graphs of one shape, compiled."""
        return jax.vmap(self.evaluate, in_axes=(None, 0))(parameters, graphs)
