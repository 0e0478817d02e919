"""Radial and angular functions of a density, as rows [..., functions, pairs].

Their derivatives are written out. Automatic ones would be right too, but sum over functions in ways
that take several times as long as the functions themselves; so the sums here run over separate rows, and
the switch is a polynomial, which costs little where the compiler evaluates it once for every row.
"""

import math
from functools import cache, partial
from typing import NamedTuple

import e3x
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import comb


def cosine_cutoff(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """(1 + cos πx) / 2 = cos²(πx/2) for x in [0, 1] by its series, exact in double precision; 0 above."""
    squared = (jnp.pi / 2 * x) ** 2
    cosine = jnp.zeros_like(x)
    for power in range(24, -1, -2):
        cosine = cosine * squared + (-1) ** (power // 2) / math.factorial(power)
    return jnp.where(x < 1, cosine**2, 0)


class Radial(NamedTuple):
    """Which radial functions: how many, up to which distance [Å], and their decay γ [Å⁻¹]."""

    number: int
    cutoff: float
    decay: float = 0.0


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def radial_functions(
    distances: Float[Array, "*rest pairs"], which: Radial
) -> Float[Array, "*rest {which.number} pairs"]:
    """f_c(r) b_k(y) with Bernstein polynomials b_k = C(K−1, k) y^k (1−y)^(K−1−k), k = 0 … K−1.

    They sum up to f_c(r). With a decay γ of 0 y = r/r_c, which is the paper's choice; with a positive one
    y = (1 − e^(−γr)) / (1 − e^(−γr_c)), so that functions are narrow where atoms are close and forces
    steep, and wide where both are not (exponential Bernstein polynomials, doi 10.1038/s41467-021-27504-0).
    """
    y, _ = _stretched(distances, which)
    return _bernstein(y, which.number) * cosine_cutoff(distances / which.cutoff)[..., None, :]


@radial_functions.defjvp
def _radial_jvp(which, primals, tangents):
    (distances,), (change,) = primals, tangents
    slopes = radial_slopes(distances, which)
    rows = [slopes[..., k, :] * change for k in range(which.number)]
    return radial_functions(distances, which), jnp.stack(rows, axis=-2)


def radial_slopes(
    distances: Float[Array, "*rest pairs"], which: Radial
) -> Float[Array, "*rest {which.number} pairs"]:
    """Derivatives of the radial functions [Å⁻¹]."""
    number, cutoff, _ = which
    x = distances / cutoff
    y, stretch = _stretched(distances, which)
    switch, slope = jax.jvp(cosine_cutoff, (x,), (jnp.ones_like(x),))
    switch, slope = (switch * stretch)[..., None, :], slope[..., None, :] / cutoff
    return _bernstein_slope(y, number) * switch + _bernstein(y, number) * slope


def _stretched(distances: Float[Array, "*rest pairs"], which: Radial) -> tuple[jax.Array, jax.Array]:
    """y, which runs from 0 to 1 up to the cutoff, and dy/dr [Å⁻¹]."""
    _, cutoff, decay = which
    if decay == 0:
        return distances / cutoff, jnp.full_like(distances, 1 / cutoff)
    whole = math.expm1(-decay * cutoff)
    return jnp.expm1(-decay * distances) / whole, -decay / whole * jnp.exp(-decay * distances)


def _bernstein(x: Float[Array, "*rest pairs"], number: int) -> Float[Array, "*rest {number} pairs"]:
    k = np.arange(number)
    x = jnp.clip(x, 0, 1)[..., None, :]
    return _column(comb(number - 1, k), x) * _powers(x, k) * _powers(1 - x, k[::-1])


def _bernstein_slope(x: Float[Array, "*rest pairs"], number: int) -> Float[Array, "*rest {number} pairs"]:
    """b'_k = C(K−1, k) x^(k−1) (1−x)^(K−2−k) (k − (K−1) x), and what is left of it at both ends."""
    if number == 1:
        return jnp.zeros_like(x)[..., None, :]
    k, last = np.arange(number), number - 1
    constant, linear = comb(last, k) * k, comb(last, k) * last
    constant[[0, -1]], linear[[0, -1]] = [-last, last], 0
    x = jnp.clip(x, 0, 1)[..., None, :]
    powers = _powers(x, np.maximum(k - 1, 0)) * _powers(1 - x, np.maximum(last - 1 - k, 0))
    return powers * (_column(constant, x) - _column(linear, x) * x)


def _column(values: np.ndarray, x: jax.Array) -> jax.Array:
    return jnp.asarray(values[:, None], x.dtype)


def _powers(x: Float[Array, "*rest 1 pairs"], exponents: np.ndarray) -> Float[Array, "*rest powers pairs"]:
    """x to integer powers, by squaring: a power function costs ten times as much."""
    result = jnp.ones((*x.shape[:-2], len(exponents), x.shape[-1]), x.dtype)
    for bit in range(int(exponents.max()).bit_length()):
        result = result * jnp.where((exponents[:, None] >> bit) % 2 == 1, x, 1)
        x = x * x
    return result


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def solid_harmonics(
    vectors: Float[Array, "3 *rest pairs"], max_degree: int
) -> Float[Array, "*rest lm pairs"]:
    """Real solid harmonics r^l Y_lm in e3x's order and normalisation, l = 0 … max_degree.

    Each degree follows from the one below, as its gradient does:
        Y_lm = (1/l) r · ∇Y_lm,   ∂Y_lm/∂r_a = Σ_m' c[m', a, m] Y_{l−1,m'}
    """
    rows = below = [jnp.ones_like(vectors[0])]
    for degree, terms in enumerate(_gradients(max_degree), start=1):
        below = [
            sum(weight / degree * vectors[axis] * below[lower] for lower, axis, weight in of_row)
            for of_row in terms
        ]
        rows = [*rows, *below]
    return jnp.stack(rows, axis=-2)


@solid_harmonics.defjvp
def _harmonics_jvp(max_degree, primals, tangents):
    (vectors,), (change,) = primals, tangents
    values = solid_harmonics(vectors, max_degree)
    rows = [jnp.zeros_like(values[..., 0, :])]
    for degree, terms in enumerate(_gradients(max_degree), start=1):
        start = (degree - 1) ** 2
        rows += [
            sum(weight * change[axis] * values[..., start + lower, :] for lower, axis, weight in of_row)
            for of_row in terms
        ]
    return values, jnp.stack(rows, axis=-2)


def pull_harmonics(
    values: Float[Array, "*rest lm pairs"], change: Float[Array, "*rest lm pairs"], max_degree: int
) -> Float[Array, "3 *rest pairs"]:
    """Σ_lm change_lm ∂Y_lm/∂r from the harmonics' `values`."""
    total = [jnp.zeros_like(values[..., 0, :])] * 3
    for degree, terms in enumerate(_gradients(max_degree), start=1):
        for m, of_row in enumerate(terms):
            for lower, axis, weight in of_row:
                below = values[..., (degree - 1) ** 2 + lower, :]
                total[axis] = total[axis] + weight * change[..., degree**2 + m, :] * below
    return jnp.stack(total)


@cache
def _gradients(max_degree: int) -> list[list[list[tuple[int, int, float]]]]:
    """For each degree and m the terms (m', a, c) of ∂Y_lm/∂r_a = Σ c Y_{l−1,m'}.

    By the Wigner–Eckart theorem c is a Clebsch–Gordan coefficient times √(l (2l−1)).
    """
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        coupling = np.array(e3x.so3.clebsch_gordan(max_degree, 1, max_degree, cartesian_order=True))
    tables = []
    for degree in range(1, max_degree + 1):
        block = coupling[(degree - 1) ** 2 : degree**2, 1:4, degree**2 : (degree + 1) ** 2]
        block = np.sqrt(degree * (2 * degree - 1)) * block
        tables.append(
            [
                [(int(lower), int(axis), float(block[lower, axis, m])) for lower, axis in _nonzero(block, m)]
                for m in range(2 * degree + 1)
            ]
        )
    return tables


def _nonzero(block: np.ndarray, m: int) -> np.ndarray:
    return np.argwhere(np.abs(block[:, :, m]) > 1e-9)
