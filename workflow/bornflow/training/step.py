"""One step of training: the loss of a batch, its gradient and the update, compiled once for each shape."""

from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import optax

from .. import jax_setup
from ..models.model import Model
from .data import Batch
from .loss import TERMS, by_structure, means, numbers


def loss_weights(options: Mapping, model: Model) -> dict[str, float]:
    """The weight of each term; Born effective charges have none where one γ is fitted to them afterwards."""
    fitted = {"bec": 0.0} if model.screening_is_fitted else {}
    return {key: options["loss"][key] for key in TERMS} | fitted


def build(
    model: Model, optimiser: optax.GradientTransformation, weights: Mapping[str, float], unravel: Callable
) -> Callable:
    """The step: a function (parameters, average, optimiser's state, batch, decay, labels) → the first three,
    sums, each, finite.

    Parameters and their moving average, which keeps `decay` of itself, are one vector each: a hundred small
    arrays would make the update as long as the gradient. `unravel` makes the model's parameters of it.
    `sums` [2, 1 + terms] holds loss and terms times the structures behind them, and these numbers; `each` the
    terms [terms, batch], `finite` whether the gradient is. The first three arguments are given up. What none
    of the structures has a label of (`labels` names those there are) is not computed.
    """

    @partial(
        jax.jit,
        donate_argnums=(0, 1, 2),
        static_argnames="labels",
        compiler_options=jax_setup.plain_loops(),
    )
    def step(parameters, average, optimiser_state, batch: Batch, decay, labels=TERMS):
        asked = {key: weights[key] > 0 and key in labels for key in ("forces", "bec")}
        predict = partial(model.evaluate, strained=False, with_forces=asked["forces"], with_bec=asked["bec"])

        def objective(parameters):
            prediction = jax.vmap(predict, in_axes=(None, 0))(unravel(parameters), batch.graph)
            each = by_structure(prediction, batch)
            terms = means(each, batch)
            return sum(weights[key] * terms[key] for key in TERMS), (terms, each)

        (value, (terms, each)), gradient = jax.value_and_grad(objective, has_aux=True)(parameters)
        updates, optimiser_state = optimiser.update(gradient, optimiser_state, parameters)
        parameters = optax.apply_updates(parameters, updates)
        average = optax.incremental_update(parameters, average, 1 - decay)
        held = numbers(batch)
        sums = jnp.stack([value, *(terms[key] * held[key] for key in TERMS)])
        counts = jnp.stack([jnp.ones(()), *(held[key] for key in TERMS)])
        finite = jnp.isfinite(jnp.linalg.norm(gradient))
        each = jnp.stack([each[key] for key in TERMS])
        return parameters, average, optimiser_state, jnp.stack([sums, counts]), each, finite

    return step
