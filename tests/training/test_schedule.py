"""The optimiser's learning rates, its clipping, and when training has converged."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from bornflow.config.load import complete
from bornflow.training.schedule import adamw, decay_of_matrices, has_plateaued, muon
from bornflow.training.settings import TrainingSettings

SECTION = complete({})["training"] | {"epochs": 20, "learning_rate": 2e-3, "final_learning_rate": 1e-5}
SETTINGS = TrainingSettings.from_section(SECTION)


def steps(settings, gradients, start=0.0, decay=0.0):
    """The update of one parameter, kept at `start`, for each of the `gradients`."""
    optimiser = adamw(settings, 5, jnp.array([decay]))
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
    """All singular values of an update are about the same, however small those of the gradient are."""
    rng = np.random.default_rng(0)
    gradient = {
        "bias": jnp.array([1e-3, -2.0, 3.0]),
        "embedding": jnp.array(rng.normal(size=(2, 3))),
        "kernel": jnp.array(rng.normal(size=(8, 3)) @ np.diag([1.0, 0.1, 0.01])),
    }
    vector, unravel = ravel_pytree(gradient)
    settings = replace(SETTINGS, schedule="linear", clip=1e6)
    optimiser = muon(settings, 5, 0.0, unravel)
    update, _ = optimiser.update(vector, optimiser.init(0 * vector), 0 * vector)
    moved = unravel(update)
    for name in ("bias", "embedding"):  # by Adam, whose first step has the same size for all parameters
        signs = -moved[name] * np.sign(gradient[name])
        np.testing.assert_allclose(signs, signs.mean() * np.ones_like(signs), rtol=1e-3)
    scale = np.linalg.svd(moved["kernel"], compute_uv=False) / (2e-3 * 0.2 * np.sqrt(8))
    assert scale.min() > 0.5 and scale.max() < 1.3, scale


def test_a_plateau_is_a_nearly_constant_loss():
    falling = np.exp(-np.arange(200) / 30) + 0.1
    ends = [n for n in range(1, 200) if has_plateaued(falling[:n], 10, 0.05)]
    assert ends == list(range(ends[0], 200)) and 100 < ends[0] < 160
    assert not has_plateaued(falling, 0, 0.05), "no patience, no end"
    assert not has_plateaued(np.ones(19), 10, 0.05), "too early to tell"
