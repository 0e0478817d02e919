"""A model variant: its settings, and the network that they describe.

A variant is an entry of the configuration's `models`: which backbone describes the atoms and how Born
effective charges arise. Nothing here branches on a variant's name.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp

from . import electrostatics
from .basis import Radial
from .charges import SCREENINGS
from .features import Features, Readout
from .graph import Graph, edges, lengths
from .heads import HEADS
from .lorem import Lorem, PotentialEnergy
from .physical import CoulombEnergy, Physical

BACKBONES = {"physical": (Physical, CoulombEnergy), "lorem": (Lorem, PotentialEnergy)}


@dataclass(frozen=True)
class Variant:
    """The settings of one variant; `models` in the configuration's schema describes and bounds each."""

    backbone: str
    charges: str
    cutoff: float  # Å
    radial: int
    radial_decay: float  # Å⁻¹
    harmonics: str
    invariants: str
    max_degree: int
    embedding: int
    features: int
    channels: int
    tensor_head: str
    tensor_channels: int
    neutral: bool
    ewald_accuracy: float


class Network(nn.Module):
    """The parts of a variant and how they are joined; `Model.evaluate` takes the derivatives.

    E = Σ_i ε(x_i) + Σ_i E_lr(x_i, q_i, V_i), without the baseline, with the long-range energy of the
    backbone (eqs. 5 and 6). Coupled models have a `screening` γ_i, uncoupled ones a tensor `bec`.
    """

    variant: Variant
    n_species: int

    @property
    def is_coupled(self) -> bool:
        """Whether Born effective charges come from the charges that make the energy."""
        return self.variant.charges in SCREENINGS

    def setup(self):
        options = self.variant
        descriptor, long_range = BACKBONES[options.backbone]
        self.backbone = descriptor(
            n_species=self.n_species,
            radial=Radial(options.radial, options.cutoff, options.radial_decay),
            harmonics=options.harmonics,
            invariants=options.invariants,
            max_degree=options.max_degree,
            embedding=options.embedding,
            features=options.features,
            channels=options.channels,
        )
        self.energy = Readout(descriptor.energy_widths)
        self.charge = Readout(descriptor.charge_widths, n_species=self.n_species)
        self.long_range = long_range(options.features)
        if self.is_coupled:
            self.screening = SCREENINGS[options.charges]()
        else:
            self.bec = HEADS[options.tensor_head](self.n_species, options.tensor_channels)

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
        if self.variant.neutral:
            charges -= graph.atom_mask * jnp.sum(charges) / jnp.sum(graph.atom_mask)
        if fixed_charges:
            charges = jax.lax.stop_gradient(charges)
        potentials = electrostatics.potentials(
            charges, graph, lengths(vectors), self.variant.cutoff, self.variant.ewald_accuracy
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
