"""Products and norms of spherical features."""

import e3x
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bornflow.models.coupling import couple, norms, scaled
from bornflow.models.features import split_degrees


def random_features(degree: int, seed: int, channels: int = 2) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=(3, (degree + 1) ** 2, channels)))


@pytest.mark.parametrize("degrees", [(2, 3, 3), (0, 3, 3), (3, 3, 0), (1, 2, 3)])
def test_products_are_those_of_e3x(degrees):
    left, right = random_features(degrees[0], 0), random_features(degrees[1], 1)
    shape = (*(degree + 1 for degree in degrees), 2)
    weights = jnp.asarray(np.random.default_rng(2).normal(size=shape))
    module = e3x.nn.Tensor(max_degree=degrees[2], include_pseudotensors=False, cartesian_order=True)
    kernel = {"params": {"kernel": weights[None, :, None, :, None]}}
    expected = module.apply(kernel, left[:, None], right[:, None])[:, 0]
    found = couple(split_degrees(left, degrees[0]), split_degrees(right, degrees[1]), weights)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_norms_have_finite_derivatives_for_small_and_vanishing_features():
    features = random_features(2, 0).at[0].set(0).at[1].multiply(1e-30).astype(jnp.float32)

    def total(features: jax.Array) -> jax.Array:
        return jnp.sum(norms(split_degrees(features, 2)))

    gradient = jax.grad(total)(features)
    assert not gradient[0].any()
    np.testing.assert_allclose(scaled(norms(split_degrees(gradient, 2)))[2, :2], 1, atol=1e-6)
    second = jax.grad(lambda x: jnp.sum(jax.grad(total)(x) * x[::-1]))(features)
    assert np.isfinite(second).all()
