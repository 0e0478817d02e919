"""Radial and angular functions of the density, as arrays [..., functions, pairs].

Their derivatives are written explicitly. Automatic derivatives give the same values, but sum over functions
in an order that takes several times as long as the functions themselves. The sums here therefore run over
separate rows. The cutoff function is a polynomial, so that it costs little even if the compiler evaluates it
once per row.
"""

import math
from functools import cache, partial
from typing import Any, NamedTuple

import e3x
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.special import comb

PairValues = Float[Array, "*rest pairs"]
PairVectors = Float[Array, "3 *rest pairs"]
RadialValues = Float[Array, "*rest radial pairs"]
Harmonics = Float[Array, "*rest lm pairs"]
# For each degree and m the terms (m', axis, coefficient) of ∂Y_lm/∂r.
GradientTerms = list[list[list[tuple[int, int, float]]]]


class RadialBasis(NamedTuple):
    """The radial functions: their number, the cutoff [Å] and their decay γ [Å⁻¹]."""

    number: int
    cutoff: float
    decay: float = 0.0


def cosine_cutoff(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """f_c = (1 + cos πx) / 2 = cos²(πx/2) for x = r/r_c in [0, 1], and 0 above.

    The cosine is summed from its series, which is exact in double precision.
    """
    squared = (jnp.pi / 2 * x) ** 2
    cosine = jnp.zeros_like(x)
    for power in range(24, -1, -2):
        cosine = cosine * squared + (-1) ** (power // 2) / math.factorial(power)
    return jnp.where(x < 1, cosine**2, 0)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def radial_functions(distances: PairValues, basis: RadialBasis) -> Float[Array, "*rest {basis.number} pairs"]:
    """f_c(r) b_k(y) with Bernstein polynomials b_k = C(K−1, k) y^k (1−y)^(K−1−k), k = 0 … K−1.

    Their sum is f_c(r). For γ = 0, y = r/r_c, as in the paper. For γ > 0,
    y = (1 − e^(−γr)) / (1 − e^(−γr_c)): the functions are narrow at short distances, where forces are steep,
    and wide at larger distances (exponential Bernstein polynomials, doi 10.1038/s41467-021-27504-0).
    """
    y, _ = _scaled_distances(distances, basis)
    return _bernstein(y, basis.number) * cosine_cutoff(distances / basis.cutoff)[..., None, :]


@radial_functions.defjvp
def _radial_jvp(
    basis: RadialBasis, primals: tuple[PairValues], tangents: tuple[PairValues]
) -> tuple[RadialValues, RadialValues]:
    (distances,), (tangent,) = primals, tangents
    values = radial_functions(distances, basis)
    alpha, beta = relative_slopes(distances, basis)
    rows = [(alpha + beta * k) * tangent * values[..., k, :] for k in range(basis.number)]
    return values, jnp.stack(rows, axis=-2)


def relative_slopes(distances: PairValues, basis: RadialBasis) -> tuple[PairValues, PairValues]:
    """α and β [Å⁻¹] of the derivatives of the radial functions, d(f_c b_k)/dr = (α + β k) f_c b_k.

    β = y' / (y (1 − y)) and α = f_c'/f_c − (K − 1) y β; both are 0 beyond the cutoff.
    """
    number, cutoff, _ = basis
    x = distances / cutoff
    switch, slope = jax.jvp(cosine_cutoff, (x,), (jnp.ones_like(x),))
    is_inside = switch > 0
    y, y_slope = _scaled_distances(distances, basis)
    y = jnp.where(is_inside, y, 0.5)
    tiny = jnp.finfo(y.dtype).eps  # of 1 − y, where y is rounded to 1
    beta = jnp.where(is_inside, y_slope / (y * jnp.maximum(1 - y, tiny)), 0)
    alpha = jnp.where(is_inside, slope / cutoff / jnp.where(is_inside, switch, 1), 0)
    return alpha - (number - 1) * y * beta, beta


def _scaled_distances(distances: PairValues, basis: RadialBasis) -> tuple[PairValues, PairValues]:
    """y, which grows from 0 to 1 at the cutoff, and dy/dr [Å⁻¹]."""
    _, cutoff, decay = basis
    if decay == 0:
        return distances / cutoff, jnp.full_like(distances, 1 / cutoff)
    at_cutoff = math.expm1(-decay * cutoff)
    return jnp.expm1(-decay * distances) / at_cutoff, -decay / at_cutoff * jnp.exp(-decay * distances)


def _bernstein(x: PairValues, number: int) -> Float[Array, "*rest {number} pairs"]:
    k = np.arange(number)
    x = jnp.clip(x, 0, 1)[..., None, :]
    return _column(comb(number - 1, k), x) * _powers(x, k) * _powers(1 - x, k[::-1])


def _column(values: Float[np.ndarray, " functions"], x: Float[Array, "..."]) -> Float[Array, "functions 1"]:
    return jnp.asarray(values[:, None], x.dtype)


def _powers(
    x: Float[Array, "*rest 1 pairs"], exponents: Int[np.ndarray, " powers"]
) -> Float[Array, "*rest powers pairs"]:
    """x to integer powers, by squaring: a power function costs ten times as much."""
    result = jnp.ones((*x.shape[:-2], len(exponents), x.shape[-1]), x.dtype)
    for bit in range(int(exponents.max()).bit_length()):
        result = result * jnp.where((exponents[:, None] >> bit) % 2 == 1, x, 1)
        x = x * x
    return result


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def solid_harmonics(vectors: PairVectors, max_degree: int) -> Harmonics:
    """Real solid harmonics r^l Y_lm in e3x's order and normalisation, l = 0 … max_degree.

    Each degree and its gradient follow from the degree below:
        Y_lm = (1/l) r · ∇Y_lm,   ∂Y_lm/∂r_a = Σ_m' c[m', a, m] Y_{l−1,m'}
    """
    below: list[Any] = [jnp.ones_like(vectors[0])]
    rows = below
    for degree, terms in enumerate(_gradient_terms(max_degree), start=1):
        below = [
            sum(weight / degree * vectors[axis] * below[lower] for lower, axis, weight in row_terms)
            for row_terms in terms
        ]
        rows = [*rows, *below]
    return jnp.stack(rows, axis=-2)


@solid_harmonics.defjvp
def _harmonics_jvp(
    max_degree: int, primals: tuple[PairVectors], tangents: tuple[PairVectors]
) -> tuple[Harmonics, Harmonics]:
    (vectors,), (tangent,) = primals, tangents
    values = solid_harmonics(vectors, max_degree)
    rows: list[Any] = [jnp.zeros_like(values[..., 0, :])]
    for degree, terms in enumerate(_gradient_terms(max_degree), start=1):
        start = (degree - 1) ** 2
        rows += [
            sum(weight * tangent[axis] * values[..., start + lower, :] for lower, axis, weight in row_terms)
            for row_terms in terms
        ]
    return values, jnp.stack(rows, axis=-2)


def pull_back_harmonics(values: Harmonics, cotangents: Harmonics, max_degree: int) -> PairVectors:
    """Σ_lm g_lm ∂Y_lm/∂r from the `values` of the harmonics and the `cotangents` g."""
    total = [jnp.zeros_like(values[..., 0, :])] * 3
    for degree, terms in enumerate(_gradient_terms(max_degree), start=1):
        for m, row_terms in enumerate(terms):
            for lower, axis, weight in row_terms:
                below = values[..., (degree - 1) ** 2 + lower, :]
                total[axis] = total[axis] + weight * cotangents[..., degree**2 + m, :] * below
    return jnp.stack(total)


@cache
def _gradient_terms(max_degree: int) -> GradientTerms:
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


def _nonzero(block: Float[np.ndarray, "lower 3 lm"], m: int) -> Int[np.ndarray, "terms 2"]:
    """Indices (m', axis) of the coefficients of one m that are not zero."""
    return np.argwhere(np.abs(block[:, :, m]) > 1e-9)
