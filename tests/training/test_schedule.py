"""The optimiser's learning rates, its clipping, and when training has converged."""

import jax.numpy as jnp
import numpy as np

from bornflow.settings import complete
from bornflow.training.schedule import adam, plateaued

OPTIONS = complete({})["training"] | {"epochs": 20, "learning_rate": 2e-3, "final_learning_rate": 1e-5}


def steps(options, gradients):
    """What each of `gradients` moves one parameter by."""
    optimiser = adam(options, steps_per_epoch=5)
    state, moves = optimiser.init(jnp.zeros(1)), []
    for gradient in gradients:
        update, state = optimiser.update(jnp.array([gradient]), state)
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


def test_a_plateau_is_a_loss_that_hardly_falls():
    falling = np.exp(-np.arange(200) / 30) + 0.1
    ends = [n for n in range(1, 200) if plateaued(falling[:n], 10, 0.05)]
    assert ends == list(range(ends[0], 200)) and 100 < ends[0] < 160
    assert not plateaued(falling, 0, 0.05), "no patience, no end"
    assert not plateaued(np.ones(19), 10, 0.05), "too early to tell"
