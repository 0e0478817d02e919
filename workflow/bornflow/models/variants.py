"""A model variant: its settings, and the network that they describe.

A variant is an entry of `models` in the configuration: the backbone that describes the atoms, and the origin
of Born effective charges. The code does not depend on a variant's name.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from . import electrostatics
from .basis import RadialBasis
from .charges import SCREENINGS
from .features import Backbone, EnergyInputs, Features, LongRangeEnergy, Readout
from .graph import Graph, edge_vectors, lengths
from .heads import HEADS
from .lorem import Lorem, PotentialEnergy
from .physical import CoulombEnergy, Physical
from .types import Amplitudes, PerAtom, Scalars, Tensors, Vectors

BACKBONES: dict[str, tuple[type[Backbone], type[LongRangeEnergy]]] = {
    "physical": (Physical, CoulombEnergy),
    "lorem": (Lorem, PotentialEnergy),
}


@dataclass(frozen=True)
class Variant:
    """The settings of one variant, described with their limits under `models` in the schema."""

    backbone: str
    charges: str
    charge_degree: str | int  # of tensor charges in the energy of `lorem`
    cutoff: float  # Å
    radial: int
    radial_decay: float  # Å⁻¹
    contraction: int
    harmonics: str
    invariants: str
    max_degree: int
    embedding: int
    features: int
    channels: int
    tensor_head: str
    tensor_channels: int
    tensor_degree: int
    neutral: bool
    ewald_accuracy: float


class Network(nn.Module):
    """The functions of a variant, with their parameters; `Model.evaluate` takes the derivatives.

    E = Σ_i ε(x_i) + Σ_i E_lr(x_i, q_i, V_i), without the baseline, with the long-range energy E_lr of the
    backbone (eqs. 5 and 6). Coupled models have a `screening` γ_i, uncoupled models a tensor head `bec`.
    """

    variant: Variant
    n_species: int

    @property
    def is_coupled(self) -> bool:
        """Whether Born effective charges derive from the charges that give the energy."""
        return self.variant.charges in SCREENINGS

    def setup(self) -> None:
        """Build the submodules; their names are those of the parameters in a checkpoint."""
        settings = self.variant
        backbone, long_range = BACKBONES[settings.backbone]
        self.backbone = backbone(
            n_species=self.n_species,
            radial=RadialBasis(settings.radial, settings.cutoff, settings.radial_decay),
            contraction=settings.contraction,
            harmonics=settings.harmonics,
            invariants=settings.invariants,
            max_degree=settings.max_degree,
            embedding=settings.embedding,
            features=settings.features,
            channels=settings.channels,
        )
        self.energy = Readout(backbone.energy_widths)
        self.charge = Readout(backbone.charge_widths, n_species=self.n_species)
        self.long_range = long_range(
            settings.features, settings.channels, settings.max_degree, settings.charge_degree
        )
        if self.is_coupled:
            self.screening = SCREENINGS[settings.charges]()
        else:
            self.bec = HEADS[settings.tensor_head](
                self.n_species, settings.tensor_channels, min(settings.tensor_degree, settings.max_degree)
            )

    def expand(self, vectors: Vectors, graph: Graph) -> Amplitudes:
        """Amplitudes of the density around each atom, from the edge vectors that leave it [Å]."""
        return self.backbone.expand(vectors, graph)

    def describe(self, amplitudes: Amplitudes, graph: Graph) -> Features:
        """Features of each atom from its amplitudes."""
        return self.backbone(amplitudes, graph)

    def energy_inputs(self, features: Features) -> EnergyInputs:
        """The features that the energy depends on."""
        return EnergyInputs(features.scalars, features.spherical if self.long_range.uses_spherical else None)

    def total_energy(
        self, inputs: EnergyInputs, vectors: Vectors, graph: Graph, fixed_charges: bool = False
    ) -> tuple[Float[Array, ""], PerAtom]:
        """Energy E [eV] and charges q [e]; with `fixed_charges` derivatives of E treat q as constant."""
        charges = self.charge(inputs.scalars, graph)
        if self.variant.neutral:
            excess = jnp.sum(charges) - graph.charge
            charges -= graph.atom_mask * excess / jnp.sum(graph.atom_mask)
        distances, settings = lengths(vectors), self.variant

        def held(charges: PerAtom) -> PerAtom:
            return jax.lax.stop_gradient(charges) if fixed_charges else charges

        def potentials(charges: PerAtom) -> PerAtom:
            return electrostatics.potentials(
                held(charges), graph, distances, settings.cutoff, settings.ewald_accuracy
            )

        charges = held(charges)
        energies = self.energy(inputs.scalars, graph)
        energies += self.long_range(inputs, charges, potentials, graph)
        return jnp.sum(energies), charges

    def effective_charges(self, scalars: Scalars, graph: Graph) -> tuple[PerAtom, PerAtom]:
        """Effective charges Q_i = γ_i q_i [e] and screening γ_i of a coupled model."""
        screening = self.screening(scalars, graph)
        return screening * self.charge(scalars, graph), screening

    def tensors(self, features: Features, graph: Graph) -> Tensors:
        """Born effective charges [e] of an uncoupled model, from its tensor head."""
        return self.bec(features, graph) * graph.atom_mask[:, None, None]

    def __call__(self, graph: Graph) -> None:
        """Call all functions once, to initialise their parameters."""
        vectors = edge_vectors(graph)
        features = self.describe(self.expand(vectors, graph), graph)
        self.total_energy(self.energy_inputs(features), vectors, graph)
        if self.is_coupled:
            self.effective_charges(features.scalars, graph)
        else:
            self.tensors(features, graph)
