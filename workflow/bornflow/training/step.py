"""One optimiser step: the loss of a batch, its gradient and the update, compiled once for each shape."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from .. import jax_setup
from ..models.model import Model
from .data import Batch
from .loss import LOSS_TERMS, label_counts, mean_terms, terms_by_structure
from .settings import LossWeights


class Outcome(NamedTuple):
    """The results of a step, in addition to the updated parameters."""

    sums: Float[Array | np.ndarray, "2 columns"]  # loss and terms times structures behind them; their numbers
    terms: Float[Array | np.ndarray, "terms batch"]  # of each structure, unweighted
    gradient_is_finite: Bool[Array | np.ndarray, ""]
    structures: Int[Array | np.ndarray, " batch"] | None = None  # indices; added on the host


Step = Callable[..., tuple[Any, Any, Any, Outcome]]


def loss_weights(loss: LossWeights, model: Model) -> dict[str, float]:
    """The weight of each loss term.

    Born effective charges have weight 0 if one screening γ is fitted to them after training.
    """
    fitted = {"bec": 0.0} if model.screening_is_fitted else {}
    return {**asdict(loss), **fitted}


def build_step(
    model: Model,
    optimiser: optax.GradientTransformation,
    weights: Mapping[str, float],
    unravel: Callable[[jax.Array], Any],
) -> Step:
    """The compiled step: a function of (parameters, average, optimiser's state, batch, decay, labels).

    It returns the first three, updated, and the Outcome.

    Parameters and their moving average are one vector each, since a hundred small arrays would make the
    update as slow as the gradient; `unravel` turns a vector into the model's parameters. The moving average
    is updated by

        average ← decay · average + (1 − decay) · parameters

    The buffers of the first three arguments are donated: the caller must not use them again. `labels` are the
    keys of the labels in the batch; forces and Born effective charges without labels are not computed.
    """

    @partial(
        jax.jit,
        donate_argnums=(0, 1, 2),
        static_argnames="labels",
        compiler_options=jax_setup.plain_loops(),
    )
    def step(
        parameters: jax.Array,
        average: jax.Array,
        optimiser_state: Any,
        batch: Batch,
        decay: jax.Array,
        labels: tuple[str, ...] = LOSS_TERMS,
    ) -> tuple[jax.Array, jax.Array, Any, Outcome]:
        needed = {key: weights[key] > 0 and key in labels for key in ("forces", "bec")}
        predict = partial(
            model.evaluate, strained=False, with_forces=needed["forces"], with_bec=needed["bec"]
        )

        def objective(parameters: jax.Array) -> tuple[Any, tuple[dict, dict]]:
            prediction = jax.vmap(predict, in_axes=(None, 0))(unravel(parameters), batch.graph)
            by_structure = terms_by_structure(prediction, batch)
            terms = mean_terms(by_structure, batch)
            return sum(weights[key] * terms[key] for key in LOSS_TERMS), (terms, by_structure)

        (loss, (terms, by_structure)), gradient = jax.value_and_grad(objective, has_aux=True)(parameters)
        updates, optimiser_state = optimiser.update(gradient, optimiser_state, parameters)
        parameters = optax.apply_updates(parameters, updates)
        average = optax.incremental_update(parameters, average, 1 - decay)
        counts = label_counts(batch)
        sums = jnp.stack([loss, *(terms[key] * counts[key] for key in LOSS_TERMS)])
        numbers = jnp.stack([jnp.ones(()), *(counts[key] for key in LOSS_TERMS)])
        is_finite = jnp.isfinite(jnp.linalg.norm(gradient))
        outcome = Outcome(
            jnp.stack([sums, numbers]), jnp.stack([by_structure[key] for key in LOSS_TERMS]), is_finite
        )
        return parameters, average, optimiser_state, outcome

    return step
