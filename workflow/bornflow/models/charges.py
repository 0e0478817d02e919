"""Born effective charges of coupled models: from the charges that also make the energy.

    Q_i = γ_i q_i,   Z[i, α, β] = Q_i δ_αβ + Σ_k (r_k − r_i)_α ∂Q_k/∂r_iβ   (eqs. 3, 7–9)

Q_k depends only on the edge vectors R_e = r_j − r_k that leave k, as there is no message passing.
So with Q_tot = Σ_k Q_k one reverse pass gives every Z, with the right periodic image of every pair:

    Z[i, α, β] = Q_i δ_αβ − Σ_{e: neighbour(e) = i} R_e,α ∂Q_tot/∂R_e,β
"""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .features import Readout
from .graph import Graph, from_neighbours


class GlobalScreening(nn.Module):
    """One γ for all atoms (eq. 7), found after training: the energy does not depend on it."""

    fitted: ClassVar = True

    @nn.compact
    def __call__(self, scalars: Float[Array, "atoms features"], graph: Graph) -> Float[Array, " atoms"]:
        return self.param("gamma", nn.initializers.ones, ()) * graph.atom_mask


class LocalScreening(nn.Module):
    """γ_i read from the features of each atom (eq. 8), trained with the rest; 1 at first."""

    fitted: ClassVar = False

    @nn.compact
    def __call__(self, scalars: Float[Array, "atoms features"], graph: Graph) -> Float[Array, " atoms"]:
        return Readout((128,), offset=1.0)(scalars, graph)


SCREENINGS = {"global": GlobalScreening, "local": LocalScreening}


def born_effective_charges(
    effective: Float[Array, " atoms"],
    vectors: Float[Array, "3 atoms max"],
    gradient: Float[Array, "3 atoms max"],
    graph: Graph,
) -> Float[Array, "atoms 3 3"]:
    """Z [e], [field, force], from Q_i [e], the edges R_e [Å] and ∂Q_tot/∂R_e [e/Å]."""
    # The pair (j, i) has the edge −R_(i, j).
    charge_flow = jnp.einsum("anj,bnj->nab", vectors, from_neighbours(gradient, graph))
    return effective[:, None, None] * jnp.eye(3, dtype=effective.dtype) + charge_flow


def with_screening(parameters, gamma: float):
    """The parameters of a model with GlobalScreening, with its γ set."""
    return _replaced(parameters, ["screening", "gamma"], gamma)


def with_charges(parameters, charges):
    """The parameters of a model with the mean charge [e] of each species set."""
    return _replaced(parameters, ["charge", "mean"], charges)


def with_opposite_charges(parameters):
    """The parameters of a model whose charges q have the other sign."""
    readout = parameters["params"]["charge"]
    last = max(name for name in readout if name.startswith("Dense"))
    opposite = {name: jax.tree.map(jnp.negative, readout[name]) for name in ("mean", last)}
    return {**parameters, "params": {**parameters["params"], "charge": {**readout, **opposite}}}


def _replaced(parameters, name: list[str], value):
    def replace(path, leaf):
        found = [entry.key for entry in path[-2:]] == name
        return jnp.asarray(value, leaf.dtype) if found else leaf

    return jax.tree.map_with_path(replace, parameters)
