"""Muon: updates of matrices are orthogonal, so that all directions of a matrix learn at the same rate.

    W ← W − η (0.2 √max(n, m) O + λ W),    O ≈ U Vᵀ of the momentum M = U Σ Vᵀ of W [n, m]

With this factor, updates have the same root mean square as Adam's (arXiv:2502.16982). Three matrix
polynomials of the Polar Express (arXiv:2505.16932) map all singular values of M above 0.2 % of its norm to
0.19 … 1.87. More polynomials map them closer to 1, but take longer and give models with the same errors. All
other parameters are updated by Adam: vectors, small matrices, and the table that embeds elements.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

Stacks = dict[str, jax.Array]

RMS = 0.2
POLYNOMIALS = (  # a, b, c of x ← a x + b x³ + c x⁵
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
)
SMALLEST = 16  # rows and columns of a matrix with orthogonal updates
EMBEDDING = "embedding"  # of elements: a table, not a linear map


def scale_by_muon(unravel: Callable[[jax.Array], Any]) -> optax.GradientTransformation:
    """0.2 √max(n, m) O for matrices and Adam's direction for all other parameters, which are one vector.

    `unravel` turns the vector into arrays.
    """
    layout = _Layout(unravel)
    matrices = optax.contrib.scale_by_muon(ns_coeffs=POLYNOMIALS, weight_dimension_numbers=_rows_and_columns)
    others = optax.scale_by_adam()

    def init(vector: jax.Array) -> Any:
        stacks, rest = layout.split(vector)
        return matrices.init(stacks), others.init(rest)

    def update(updates: jax.Array, state: Any, _: Any = None) -> tuple[jax.Array, Any]:
        stacks, rest = layout.split(updates)
        stacks, of_matrices = matrices.update(stacks, state[0])
        rest, of_others = others.update(rest, state[1])
        scaled = {shape: RMS * np.sqrt(max(stack.shape[1:])) * stack for shape, stack in stacks.items()}
        return layout.join(scaled, rest), (of_matrices, of_others)

    return optax.GradientTransformation(init, update)


def _rows_and_columns(stacks: Any) -> Any:
    return jax.tree.map(lambda _: optax.contrib.MuonDimensionNumbers(1, 2), stacks)


class _Layout:
    """The parameters as stacks of matrices of equal shape, and one vector of all others.

    A few large operations on stacks take half the time of many small ones.
    """

    def __init__(self, unravel: Callable[[jax.Array], Any]) -> None:
        self.unravel = unravel

    def split(self, vector: jax.Array) -> tuple[Stacks, jax.Array]:
        """{shape: [number, rows, columns]}, and the vector of all other parameters."""
        stacks: dict[str, list[jax.Array]] = {}
        others = []
        for path, leaf in jax.tree_util.tree_leaves_with_path(self.unravel(vector)):
            if is_orthogonalised(path, leaf):
                stacks.setdefault(_shape(leaf), []).append(leaf)
            else:
                others.append(leaf.ravel())
        return {shape: jnp.stack(leaves) for shape, leaves in stacks.items()}, jnp.concatenate(others)

    def join(self, stacks: Stacks, others: jax.Array) -> jax.Array:
        """The vector that `split` divided."""
        size = others.size + sum(stack.size for stack in stacks.values())
        shapes = jax.eval_shape(self.unravel, jax.ShapeDtypeStruct((size,), others.dtype))
        matrices = {shape: iter(stack) for shape, stack in stacks.items()}
        leaves, first = [], 0
        for path, leaf in jax.tree_util.tree_leaves_with_path(shapes):
            if is_orthogonalised(path, leaf):
                leaves.append(next(matrices[_shape(leaf)]).ravel())
            else:
                leaves.append(others[first : first + leaf.size])
                first += leaf.size
        return jnp.concatenate(leaves)


def is_orthogonalised(path: Any, leaf: Any) -> bool:
    """Whether a parameter has orthogonal updates."""
    return leaf.ndim == 2 and min(leaf.shape) >= SMALLEST and path[-1].key != EMBEDDING


def _shape(leaf: Any) -> str:
    return "x".join(map(str, leaf.shape))
