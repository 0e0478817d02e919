"""The optimisers: learning rates, clipping, decay, and the updates of Muon."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from bornflow.config.load import complete
from bornflow.training.optimiser import build_optimiser, decay_of_matrices
from bornflow.training.settings import TrainingSettings

SECTION = complete({})["training"] | {"epochs": 20, "learning_rate": 2e-3, "final_learning_rate": 1e-5}
SETTINGS = replace(TrainingSettings.from_section(SECTION), optimiser="adam")


def steps(settings, gradients, start=0.0, decay=0.0):
    """The update of one parameter, kept at `start`, for each of the `gradients`."""
    optimiser = build_optimiser(settings, 5, jnp.array([decay]), lambda vector: {"bias": vector})
    parameters = jnp.array([start])
    state, moves = optimiser.init(parameters), []
    for gradient in gradients:
        update, state = optimiser.update(jnp.array([gradient]), state, parameters)
        moves.append(float(update[0]))
    return np.array(moves)


def test_rates_rise_and_fall_like_a_cosine():
    """With a constant gradient Adam moves by its learning rate."""
    moves = -steps(replace(SETTINGS, schedule="cosine", warmup=0.1), np.ones(100))
    assert moves[0] == 0
    np.testing.assert_allclose(moves[5], 1e-3, rtol=1e-4)
    np.testing.assert_allclose(moves[10], 2e-3, rtol=1e-4)
    np.testing.assert_allclose(moves[55], (2e-3 + 1e-5) / 2, rtol=1e-3)
    np.testing.assert_allclose(moves[99], 1e-5, rtol=0.1)


def test_rates_fall_linearly_in_the_papers_recipe():
    moves = -steps(replace(SETTINGS, schedule="linear"), np.ones(100))
    np.testing.assert_allclose(moves[[0, 50]], [2e-3, (2e-3 + 1e-5) / 2], rtol=1e-4)


def test_large_gradients_are_clipped():
    """Without clipping the second gradient would be negligible next to the first in Adam's moments."""
    usual, spoilt = (steps(replace(SETTINGS, warmup=0.0, clip=1.0), [first, 1.0]) for first in (1.0, 1e6))
    np.testing.assert_allclose(spoilt, usual, rtol=1e-5)


def test_weights_of_matrices_decay_in_proportion_to_rate_and_weight():
    moves = steps(replace(SETTINGS, schedule="linear"), [0.0, 0.0], start=3.0, decay=0.1)
    np.testing.assert_allclose(moves[0], -2e-3 * 0.1 * 3.0, rtol=1e-5)
    layer = {"bias": jnp.ones(2), "kernel": jnp.ones((2, 3)), "scale": jnp.ones(())}
    np.testing.assert_allclose(decay_of_matrices(layer, 0.1), [0, 0, *6 * [0.1], 0])


def test_muon_makes_updates_of_matrices_orthogonal():
    """Singular values of an update are of one size, also if those of the gradient differ widely."""
    rng = np.random.default_rng(0)
    singular = np.geomspace(1, 0.01, 16)
    left, right = np.linalg.qr(rng.normal(size=(20, 16)))[0], np.linalg.qr(rng.normal(size=(16, 16)))[0]
    gradient = {
        "bias": jnp.array([1e-3, -2.0, 3.0]),
        "embedding": jnp.array(rng.normal(size=(20, 20))),
        "kernel": jnp.array(left @ np.diag(singular) @ right),
        "other": jnp.array(left @ np.diag(singular[::-1]) @ right),
        "small": jnp.array(rng.normal(size=(3, 20))),
    }
    vector, unravel = ravel_pytree(gradient)
    settings = replace(SETTINGS, optimiser="muon", schedule="linear", clip=1e6)
    optimiser = build_optimiser(settings, 5, 0 * vector, unravel)
    update, _ = optimiser.update(vector, optimiser.init(0 * vector), 0 * vector)
    moved = unravel(update)
    for name in ("bias", "embedding", "small"):  # by Adam: the first step has one size for all parameters
        signs = -moved[name] * np.sign(gradient[name])
        np.testing.assert_allclose(signs, 2e-3 * np.ones_like(signs), rtol=1e-3)
    for name in ("kernel", "other"):
        scale = np.linalg.svd(moved[name], compute_uv=False) / (2e-3 * 0.2 * np.sqrt(20))
        assert scale.min() > 0.18 and scale.max() < 1.88, scale
        overlap = -np.sum(np.asarray(moved[name]) * (left @ right)) / (2e-3 * 0.2 * np.sqrt(20) * 16)
        assert 0.7 < overlap < 1.3, "the update descends along U Vᵀ"


def test_decay_is_added_to_the_updates_of_muon():
    parameters = {"kernel": jnp.eye(16), "scale": jnp.ones(2)}
    vector, unravel = ravel_pytree(parameters)
    settings = replace(SETTINGS, optimiser="muon", schedule="linear")
    decay = decay_of_matrices(parameters, 0.5)
    optimiser = build_optimiser(settings, 5, decay, unravel)
    update, _ = optimiser.update(0 * vector, optimiser.init(vector), vector)
    np.testing.assert_allclose(unravel(update)["kernel"], -2e-3 * 0.5 * np.eye(16), atol=1e-9)
    np.testing.assert_allclose(unravel(update)["scale"], 0, atol=1e-9)
