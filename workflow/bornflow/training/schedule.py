"""The optimiser with its learning rate over time, and when training has converged."""

from collections.abc import Mapping

import numpy as np
import optax
from jaxtyping import Float

from .state import State


def adam(options: Mapping, steps_per_epoch: int) -> optax.GradientTransformation:
    """Adam with clipped gradients and the learning rates of `options`, the section `training`."""
    total = options["epochs"] * steps_per_epoch
    if options["schedule"] == "cosine":
        warmup = min(round(options["warmup"] * total), total - 1)
        rate = optax.warmup_cosine_decay_schedule(
            0.0, options["learning_rate"], warmup, total, options["final_learning_rate"]
        )
    else:
        rate = optax.linear_schedule(options["learning_rate"], options["final_learning_rate"], total)
    # A rate that is part of the state is found once a step; else once for each parameter, with its cosine.
    scheduled = optax.inject_hyperparams(optax.adam)(learning_rate=rate)
    return optax.chain(optax.clip_by_global_norm(options["clip"]), scheduled)


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
