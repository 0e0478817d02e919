"""Born effective charges of coupled models, from the charges that also give the energy.

    Q_i = γ_i q_i,   Z[i, α, β] = Q_i δ_αβ + Σ_k (r_k − r_i)_α ∂Q_k/∂r_iβ   (eqs. 3, 7–9)

Without message passing Q_k depends only on the edge vectors R_e = r_j − r_k that leave atom k. A single
reverse pass through Q_tot = Σ_k Q_k therefore gives every Z, with the correct periodic image of every pair:

    Z[i, α, β] = Q_i δ_αβ − Σ_{e: neighbour(e) = i} R_e,α ∂Q_tot/∂R_e,β
"""

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from .features import Readout
from .graph import Graph, at_opposite_pairs
from .types import Parameters, PerAtom, Scalars, Tensors, Vectors


class Screening(nn.Module):
    """The factor γ_i between an atom's charge in the energy and its effective charge."""

    fitted: ClassVar[bool]  # whether it is fitted after training

    def __call__(self, scalars: Scalars, graph: Graph) -> PerAtom:
        """γ_i."""
        raise NotImplementedError


class GlobalScreening(Screening):
    """One γ for all atoms (eq. 7), fitted after training because the energy does not depend on it."""

    fitted: ClassVar[bool] = True

    @nn.compact
    def __call__(self, scalars: Scalars, graph: Graph) -> PerAtom:
        """γ for atoms, zero for padding."""
        return self.param("gamma", nn.initializers.ones, ()) * graph.atom_mask


class LocalScreening(Screening):
    """γ_i predicted from the features of each atom (eq. 8), trained with the other weights; initially 1."""

    fitted: ClassVar[bool] = False

    @nn.compact
    def __call__(self, scalars: Scalars, graph: Graph) -> PerAtom:
        """γ_i for atoms, zero for padding."""
        return Readout((128,), offset=1.0)(scalars, graph)


SCREENINGS: dict[str, type[Screening]] = {"global": GlobalScreening, "local": LocalScreening}


def born_effective_charges(effective: PerAtom, vectors: Vectors, gradient: Vectors, graph: Graph) -> Tensors:
    """Z [e], [field, force], from Q_i [e], the edge vectors R_e [Å] and ∂Q_tot/∂R_e [e/Å]."""
    # The pair (j, i) has the edge −R_(i, j).
    charge_flow = jnp.einsum("anj,bnj->nab", vectors, at_opposite_pairs(gradient, graph))
    return effective[:, None, None] * jnp.eye(3, dtype=effective.dtype) + charge_flow


def with_screening(parameters: Parameters, gamma: ArrayLike) -> Parameters:
    """The parameters of a model with GlobalScreening, with its γ set."""
    return _with_leaf(parameters, ["screening", "gamma"], gamma)


def with_charges(parameters: Parameters, charges: ArrayLike) -> Parameters:
    """The parameters of a model with the mean charge [e] of each species set."""
    return _with_leaf(parameters, ["charge", "mean"], charges)


def with_opposite_charges(parameters: Parameters) -> Parameters:
    """The parameters of a model whose charges q have the opposite sign."""
    readout = parameters["params"]["charge"]
    last = max(name for name in readout if name.startswith("Dense"))
    opposite = {name: jax.tree.map(jnp.negative, readout[name]) for name in ("mean", last)}
    return {**parameters, "params": {**parameters["params"], "charge": {**readout, **opposite}}}


def _with_leaf(parameters: Parameters, name: list[str], value: ArrayLike) -> Parameters:
    """The parameters with the leaf whose path ends in `name` replaced by `value`."""

    def replace(path: tuple[Any, ...], leaf: jax.Array) -> jax.Array:
        is_named = [entry.key for entry in path[-2:]] == name
        return jnp.asarray(value, leaf.dtype) if is_named else leaf

    return jax.tree.map_with_path(replace, parameters)
