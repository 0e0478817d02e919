"""The optimiser of a training: Adam or Muon, with clipped gradients, weight decay and a scheduled rate."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from .muon import scale_by_muon
from .schedule import learning_rate
from .settings import TrainingSettings


def build_optimiser(
    settings: TrainingSettings,
    steps_per_epoch: int,
    decay: Float[Array, " parameters"],
    unravel: Callable[[jax.Array], Any],
) -> optax.GradientTransformation:
    """The optimiser that `settings` describe, for parameters that are one vector.

        w ← w − η (d + λ w)

    with the learning rate η and the `decay` λ of each parameter (AdamW, arXiv:1711.05101). The direction d is
    Adam's m / (√v + ε), or that of `scale_by_muon`. `unravel` turns the vector into arrays.
    """
    direction = scale_by_muon(unravel) if settings.optimiser == "muon" else optax.scale_by_adam()

    def scaled(rate: Any) -> optax.GradientTransformation:
        # optax's own decay is one number per array, but here all parameters are one vector.
        decayed = optax.stateless(lambda updates, parameters: updates + decay * parameters)
        return optax.chain(direction, decayed, optax.scale_by_learning_rate(rate))

    # As a part of the optimiser's state, the rate is computed once per step instead of once per parameter.
    scheduled = optax.inject_hyperparams(scaled)(rate=learning_rate(settings, steps_per_epoch))
    return optax.chain(optax.clip_by_global_norm(settings.clip), scheduled)


def decay_of_matrices(parameters: Any, decay: float) -> Float[Array, " parameters"]:
    """`decay` for parameters that multiply features, 0 for biases and scales, as one vector.

    If a layer's output is normalised, the magnitude of its weights has no effect on the output, and only
    weight decay bounds it. Without decay the weights grow until the activation functions act as kinks.
    """
    chosen = jax.tree.map(lambda x: jnp.full_like(x, decay if x.ndim > 1 else 0), parameters)
    return ravel_pytree(chosen)[0]
