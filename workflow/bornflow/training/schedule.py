"""The optimiser, its learning rate over time, and the criteria that end training early."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from .settings import TrainingSettings
from .state import State


def adamw(
    settings: TrainingSettings, steps_per_epoch: int, decay: Float[Array, " parameters"]
) -> optax.GradientTransformation:
    """Adam with decoupled weight decay, clipped gradients and a scheduled learning rate.

        w ← w − η (m / (√v + ε) + λ w)

    with Adam's moments m and v, the learning rate η and the `decay` λ of each parameter (arXiv:1711.05101).
    """
    rate = _learning_rate(settings, steps_per_epoch)

    def scaled(learning_rate: Any) -> optax.GradientTransformation:
        # optax's own decay is one number per array, but here all parameters are one vector.
        decayed = optax.stateless(lambda updates, parameters: updates + decay * parameters)
        return optax.chain(optax.scale_by_adam(), decayed, optax.scale_by_learning_rate(learning_rate))

    # As a part of the optimiser's state, the rate is computed once per step instead of once per parameter.
    scheduled = optax.inject_hyperparams(scaled)(learning_rate=rate)
    return optax.chain(optax.clip_by_global_norm(settings.clip), scheduled)


def muon(
    settings: TrainingSettings, steps_per_epoch: int, decay: float, unravel: Callable[[jax.Array], Any]
) -> optax.GradientTransformation:
    """Muon for matrices and Adam for all other parameters, with clipped gradients and a scheduled rate.

        W ← W − η (0.2 √max(n, m) O + λ W),    O = the nearest orthogonal matrix to the momentum of W [n, m]

    The factor gives updates of the root mean square that Adam's have (arXiv:2502.16982). `unravel` turns the
    vector of parameters into arrays; a matrix that embeds elements has Adam.
    """

    def orthogonalised(parameters: Any) -> Any:
        def dimensions(path: Any, leaf: jax.Array) -> optax.contrib.MuonDimensionNumbers | None:
            is_matrix = leaf.ndim == 2 and path[-1].key != "embedding"
            return optax.contrib.MuonDimensionNumbers() if is_matrix else None

        return jax.tree_util.tree_map_with_path(dimensions, parameters)

    inner = optax.contrib.muon(
        _learning_rate(settings, steps_per_epoch),
        weight_decay=decay,
        consistent_rms=0.2,
        muon_weight_dimension_numbers=orthogonalised,
    )

    def update(updates: jax.Array, state: Any, parameters: jax.Array) -> tuple[jax.Array, Any]:
        arrays, state = inner.update(unravel(updates), state, unravel(parameters))
        return ravel_pytree(arrays)[0], state

    on_vector = optax.GradientTransformation(lambda parameters: inner.init(unravel(parameters)), update)
    return optax.chain(optax.clip_by_global_norm(settings.clip), on_vector)


def _learning_rate(settings: TrainingSettings, steps_per_epoch: int) -> optax.Schedule:
    total = settings.epochs * steps_per_epoch
    if settings.schedule == "linear":
        return optax.linear_schedule(settings.learning_rate, settings.final_learning_rate, total)
    warmup = min(round(settings.warmup * total), total - 1)
    return optax.warmup_cosine_decay_schedule(
        0.0, settings.learning_rate, warmup, total, settings.final_learning_rate
    )


def decay_of_matrices(parameters: Any, decay: float) -> Float[Array, " parameters"]:
    """`decay` for parameters that multiply features, 0 for biases and scales, as one vector.

    If a layer's output is normalised, the magnitude of its weights has no effect on the output, and only
    weight decay bounds it. Without decay the weights grow until the activation functions act as kinks.
    """
    chosen = jax.tree.map(lambda x: jnp.full_like(x, decay if x.ndim > 1 else 0), parameters)
    return ravel_pytree(chosen)[0]


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
