"""Tensor heads on random features: equivariant, nine independent components, nonlinear layers."""

import e3x
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import graph_of, variant, water

from bornflow.models.features import Features
from bornflow.models.heads import HEADS
from bornflow.models.model import Model

DEGREE, ATOMS = 3, 12
GRAPH = graph_of(Model(variant(), ("H", "O")), water(ATOMS // 3))


@pytest.fixture(params=[*((name, 2) for name in HEADS), ("gated", DEGREE)], ids=str)
def head(request):
    """A head with random weights, as a function of scalars and spherical features."""
    name, degree = request.param
    module = HEADS[name](n_species=2, channels=4, product_degree=degree)
    weights = module.init(jax.random.key(0), _features(), GRAPH)
    return jax.jit(lambda features: module.apply(weights, features, GRAPH))


def _features() -> Features:
    rng = np.random.default_rng(0)
    shapes = (ATOMS, 6), (ATOMS, (DEGREE + 1) ** 2, 5)
    return Features(*(jnp.asarray(rng.normal(size=shape)) for shape in shapes))


@pytest.mark.parametrize("improper", [False, True])
def test_tensors_rotate_with_the_features(head, improper):
    rotation = np.array(e3x.so3.random_rotation(jax.random.key(1)))
    wigner = np.array(e3x.so3.wigner_d(rotation, DEGREE, cartesian_order=True))
    if improper:  # with an inversion, odd degrees change their sign
        odd = np.repeat(np.arange(DEGREE + 1), 2 * np.arange(DEGREE + 1) + 1) % 2 == 1
        rotation, wigner = -rotation, np.where(odd, -wigner, wigner)
    scalars, spherical = _features()
    rotated = Features(scalars, jnp.einsum("nac,ab->nbc", spherical, wigner))
    expected = jnp.einsum("nab,ac,bd->ncd", head(Features(scalars, spherical)), rotation, rotation)
    np.testing.assert_allclose(head(rotated), expected, atol=1e-5)


def test_nine_components_are_independent(head):
    assert np.linalg.matrix_rank(np.array(head(_features())).reshape(ATOMS, 9), tol=1e-4) == 9


def test_only_the_published_head_is_quadratic_in_features_alone():
    """Without a nonlinearity (and biases), a tensor product of linear maps is of second degree."""
    scalars, spherical = _features()
    for name, is_quadratic in (("published", True), ("dense", False)):
        module = HEADS[name](n_species=2, channels=4)
        weights = module.init(jax.random.key(0), Features(scalars, spherical), GRAPH)
        one, two = (module.apply(weights, Features(scalars, x * spherical), GRAPH) for x in (1, 2))
        assert np.allclose(two, 4 * one, rtol=1e-4, atol=1e-5) == is_quadratic
