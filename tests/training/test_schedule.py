"""The optimiser's learning rates, its clipping, and when training has converged."""

import jax.numpy as jnp
import numpy as np

from bornflow.config.load import complete
from bornflow.training.schedule import adamw, decay_of_matrices, plateaued

OPTIONS = complete({})["training"] | {"epochs": 20, "learning_rate": 2e-3, "final_learning_rate": 1e-5}


def steps(options, gradients, start=0.0, decay=0.0):
    """What each of `gradients` moves one parameter by that stays at `start`."""
    optimiser = adamw(options, 5, jnp.array([decay]))
    parameters = jnp.array([start])
    state, moves = optimiser.init(parameters), []
    for gradient in gradients:
        update, state = optimiser.update(jnp.array([gradient]), state, parameters)
        moves.append(float(update[0]))
    return np.array(moves)


def test_rates_rise_and_fall_like_a_cosine():
    """Adam moves by its rate where the gradient is always the same."""
    moves = -steps(OPTIONS | {"schedule": "cosine", "warmup": 0.1}, np.ones(100))
    assert moves[0] == 0
    np.testing.assert_allclose(moves[5], 1e-3, rtol=1e-4)
    np.testing.assert_allclose(moves[10], 2e-3, rtol=1e-4)
    np.testing.assert_allclose(moves[55], (2e-3 + 1e-5) / 2, rtol=1e-3)
    np.testing.assert_allclose(moves[99], 1e-5, rtol=0.1)


def test_rates_fall_linearly_in_the_papers_recipe():
    moves = -steps(OPTIONS | {"schedule": "linear"}, np.ones(100))
    np.testing.assert_allclose(moves[[0, 50]], [2e-3, (2e-3 + 1e-5) / 2], rtol=1e-4)


def test_large_gradients_are_clipped():
    """Without it the second, of the usual size, would be nothing beside the first in Adam's moments."""
    usual, spoilt = (steps(OPTIONS | {"warmup": 0.0, "clip": 1.0}, [first, 1.0]) for first in (1.0, 1e6))
    np.testing.assert_allclose(spoilt, usual, rtol=1e-5)


def test_weights_of_matrices_decay_by_the_rate_times_themselves():
    moves = steps(OPTIONS | {"schedule": "linear"}, [0.0, 0.0], start=3.0, decay=0.1)
    np.testing.assert_allclose(moves[0], -2e-3 * 0.1 * 3.0, rtol=1e-5)
    layer = {"bias": jnp.ones(2), "kernel": jnp.ones((2, 3)), "scale": jnp.ones(())}
    np.testing.assert_allclose(decay_of_matrices(layer, 0.1), [0, 0, *6 * [0.1], 0])


def test_a_plateau_is_a_loss_that_hardly_falls():
    falling = np.exp(-np.arange(200) / 30) + 0.1
    ends = [n for n in range(1, 200) if plateaued(falling[:n], 10, 0.05)]
    assert ends == list(range(ends[0], 200)) and 100 < ends[0] < 160
    assert not plateaued(falling, 0, 0.05), "no patience, no end"
    assert not plateaued(np.ones(19), 10, 0.05), "too early to tell"
