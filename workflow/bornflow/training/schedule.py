"""The learning rate over time, and the criteria that end training early."""

import numpy as np
import optax
from jaxtyping import Float

from .settings import TrainingSettings
from .state import State


def learning_rate(settings: TrainingSettings, steps_per_epoch: int) -> optax.Schedule:
    """The learning rate of each step (`training.schedule`)."""
    total = settings.epochs * steps_per_epoch
    if settings.schedule == "linear":
        return optax.linear_schedule(settings.learning_rate, settings.final_learning_rate, total)
    warmup = min(round(settings.warmup * total), total - 1)
    return optax.warmup_cosine_decay_schedule(
        0.0, settings.learning_rate, warmup, total, settings.final_learning_rate
    )


def has_plateaued(losses: Float[np.ndarray, " epochs"], patience: int, improvement: float) -> bool:
    """Whether the loss has stopped falling; a `patience` of 0 switches the test off.

    It has if the mean loss of the last `patience` epochs is less than the fraction `improvement` below that
    of the `patience` epochs before.
    """
    if not patience or len(losses) < 2 * patience:
        return False
    before, last = losses[-2 * patience : -patience].mean(), losses[-patience:].mean()
    return bool(last > (1 - improvement) * before)


def reason_to_end(state: State, settings: TrainingSettings) -> str | None:
    """The reason to end training before its last epoch; None if it continues."""
    if has_plateaued(state.history[:, 0], settings.patience, settings.improvement):
        return (
            f"the loss fell by less than {settings.improvement:.2g} (relative) over {settings.patience} "
            "epochs (training.patience)"
        )
    if settings.hours and state.seconds > 3600 * settings.hours:
        return f"the time limit is reached after {state.seconds / 3600:.2f} hours (training.hours)"
    return None
