"""Products with the filters of each atom, and all their derivatives, equal the explicit sum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from bornflow.models.features import row_degrees
from bornflow.models.products import apply_filters, transposed

ATOMS, RADIAL, DEGREES, CHANNELS = 2, 3, 2, 2


@pytest.fixture
def factors():
    rng = np.random.default_rng(0)
    shapes = (ATOMS, DEGREES**2, RADIAL), (ATOMS, RADIAL, DEGREES, CHANNELS)
    with jax.enable_x64(True):
        yield tuple(jnp.asarray(rng.normal(size=shape)) for shape in shapes)


def test_the_filter_of_a_degree_acts_on_its_rows(factors):
    amplitudes, filters = map(np.asarray, factors)
    expected = np.zeros((ATOMS, DEGREES**2, CHANNELS))
    for row, degree in enumerate(row_degrees(DEGREES - 1)):
        expected[:, row] = np.einsum("nr,nrc->nc", amplitudes[:, row], filters[:, :, degree])
    np.testing.assert_allclose(apply_filters(*factors), expected, atol=1e-14)


def test_derivatives_of_all_orders_are_those_of_the_sum(factors):
    """Training needs derivatives of forces; three orders of derivatives use all three products."""
    check_grads(jax.jit(lambda *parts: jnp.sin(apply_filters(*parts))), factors, order=3, modes=["rev"])


def test_every_matrix_is_transposed():
    matrices = np.arange(2 * 5 * 3.0).reshape(2, 5, 3)
    np.testing.assert_array_equal(transposed(jnp.asarray(matrices)), matrices.swapaxes(1, 2))
