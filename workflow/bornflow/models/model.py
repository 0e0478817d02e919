"""A model: a variant for given elements, with forces and virial as exact derivatives of its energy.

`pairs` and `graph` run on the host with numpy, `evaluate` on the device with jax.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from ase.data import atomic_numbers
from jaxtyping import Array, Float, Int
from numpy.typing import DTypeLike

from . import derivatives, electrostatics
from .charges import SCREENINGS, born_effective_charges
from .graph import Graph, Shape, edge_vectors
from .pairs import Pairs, list_pairs, pad
from .types import Parameters
from .variants import Network, Variant


class Prediction(NamedTuple):
    """The predictions of a model for one structure, padding included; None where not requested.

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
    """A variant for given elements: it builds graphs on the host and evaluates them on the device."""

    def __init__(self, variant: Variant | Mapping[str, Any], elements: Sequence[str]) -> None:
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
        """Whether Born effective charges have a factor that is fitted after training (eq. 7)."""
        screening = SCREENINGS.get(self.variant.charges)
        return screening is not None and screening.fitted

    def species(self, numbers: Int[np.ndarray, " atoms"]) -> Int[np.ndarray, " atoms"]:
        """Indices into `elements` from atomic numbers; −1 for an element that the model does not know."""
        return self._species[numbers]

    def pairs(
        self,
        numbers: Int[np.ndarray, " atoms"],
        positions: Float[np.ndarray, "atoms 3"],
        cell: Float[np.ndarray, "3 3"] | None,
        skin: float = 0.0,
    ) -> Pairs:
        """Pairs of atoms up to the cutoff plus `skin` [Å]; a `cell` of None means isolated.

        Raises BornflowError for invalid input, see `list_pairs`.
        """
        k_max = electrostatics.k_max(self.cutoff, self.variant.ewald_accuracy)
        return list_pairs(
            self.species(numbers), positions, cell, len(self.elements), self.cutoff + skin, k_max
        )

    def graph(
        self,
        numbers: Int[np.ndarray, " atoms"],
        positions: Float[np.ndarray, "atoms 3"],
        cell: Float[np.ndarray, "3 3"] | None,
        shape: Shape | None = None,
        dtype: DTypeLike = np.float32,
        charge: float = 0,
    ) -> Graph:
        """The padded graph of a structure of total `charge` [e]; a `cell` of None means isolated."""
        return pad(self.pairs(numbers, positions, cell), shape, dtype, charge)

    def initialise(self, graph: Graph, seed: int) -> Parameters:
        """Random parameters; any structure's `graph` will do."""
        return jax.jit(self.network.init)(jax.random.key(seed), graph)

    def evaluate(
        self,
        parameters: Parameters,
        graph: Graph,
        strained: bool = True,
        fixed_charges: bool = False,
        with_bec: bool = True,
        with_forces: bool = True,
    ) -> Prediction:
        """The predictions for a graph; `derivatives` describes the steps.

        Forces are computed only `with_forces`, the virial only if `strained` as well. Born effective charges,
        screening and effective charges are computed only `with_bec`.

        With `fixed_charges` forces and virial omit the derivatives of the charges, so they are not
        derivatives of the energy. This option is for comparison only.
        """
        apply: derivatives.Apply = partial(self.network.apply, parameters)
        description = derivatives.describe(apply, edge_vectors(graph), graph)
        energy = derivatives.energy(apply, description, graph, fixed_charges, with_forces, strained)
        charge = bec = forces = virial = None
        if with_bec and self.network.is_coupled:
            charge = derivatives.total_charge(apply, description.inputs, graph)
        elif with_bec:
            bec = apply(description.features, graph, method="tensors")

        by_features = [summed.by_features for summed in (energy.gradient, charge) if summed is not None]
        by_edges = description.pull_to_edges(by_features)
        if charge is not None:
            bec = born_effective_charges(charge.effective, description.vectors, by_edges[-1], graph)
        if energy.gradient is not None:
            forces, virial = derivatives.forces_and_virial(
                energy.gradient, by_edges[0], description.vectors, graph
            )
        screening, effective = (None, None) if charge is None else (charge.screening, charge.effective)
        return Prediction(energy.total, energy.charges, bec, forces, virial, screening, effective)

    @partial(jax.jit, static_argnums=0)
    def __call__(self, parameters: Parameters, graph: Graph) -> Prediction:
        """`evaluate`, compiled."""
        return self.evaluate(parameters, graph)

    @partial(jax.jit, static_argnums=0)
    def batch(self, parameters: Parameters, graphs: Graph) -> Prediction:
        """`evaluate` for a batch of graphs of one shape, compiled."""
        return jax.vmap(self.evaluate, in_axes=(None, 0))(parameters, graphs)
