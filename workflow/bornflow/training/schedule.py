"""The optimiser with its learning rate over time, and when training has converged."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from .state import State


def adamw(
    options: Mapping, steps_per_epoch: int, decay: Float[Array, " parameters"]
) -> optax.GradientTransformation:
    """Adam with decoupled weight decay, clipped gradients and the rates of `options`, the section `training`.

        w ← w − η (m / (√v + ε) + λ w)

    with Adam's moments m and v, the learning rate η and the `decay` λ of each parameter (arXiv:1711.05101).
    """
    total = options["epochs"] * steps_per_epoch
    if options["schedule"] == "cosine":
        warmup = min(round(options["warmup"] * total), total - 1)
        rate = optax.warmup_cosine_decay_schedule(
            0.0, options["learning_rate"], warmup, total, options["final_learning_rate"]
        )
    else:
        rate = optax.linear_schedule(options["learning_rate"], options["final_learning_rate"], total)

    def scaled(learning_rate):
        # optax's own decay takes one number for an array, and here all parameters are one vector.
        decayed = optax.stateless(lambda updates, parameters: updates + decay * parameters)
        return optax.chain(optax.scale_by_adam(), decayed, optax.scale_by_learning_rate(learning_rate))

    # A rate that is part of the state is found once a step; else once for each parameter, with its cosine.
    scheduled = optax.inject_hyperparams(scaled)(learning_rate=rate)
    return optax.chain(optax.clip_by_global_norm(options["clip"]), scheduled)


def decay_of_matrices(parameters: Mapping, decay: float) -> Float[Array, " parameters"]:
    """`decay` for what multiplies features, 0 for what is added to them or scales them, as one vector.

    Where a layer's result is normalised the size of its weights has no effect, and nothing but their decay
    bounds it: without one they grow until the functions between layers act as kinks.
    """
    chosen = jax.tree.map(lambda x: jnp.full_like(x, decay if x.ndim > 1 else 0), parameters)
    return ravel_pytree(chosen)[0]


def plateaued(losses: Float[np.ndarray, " epochs"], patience: int, improvement: float) -> bool:
    """Whether the mean loss of the last `patience` epochs is hardly below that of as many before.

    Hardly is by less than `improvement` times the latter. A patience of 0 never sees a plateau.
    """
    if not patience or len(losses) < 2 * patience:
        return False
    before, last = losses[-2 * patience : -patience].mean(), losses[-patience:].mean()
    return bool(last > (1 - improvement) * before)


def ending(state: State, options: Mapping) -> str | None:
    """Why training ends before its last epoch, if it does."""
    if plateaued(state.history[:, 0], options["patience"], options["improvement"]):
        return (
            f"the loss fell by less than {options['improvement']:.2g} of itself over {options['patience']} "
            "epochs (training.patience)"
        )
    if options["hours"] and state.seconds > 3600 * options["hours"]:
        return f"{state.seconds / 3600:.2f} hours are over (training.hours)"
    return None
