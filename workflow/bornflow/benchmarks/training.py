"""Time of one training step, for bornflow's models and for lorem-jax.

    python -m bornflow.benchmarks.training --models physical-uncoupled lorem-local --out timing.csv

A step is the loss of energy, forces and Born effective charges, its gradient and Adam's update, for a batch
of water structures. Weights are random and labels zero, which does not change the time.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ase import Atoms
from jax.flatten_util import ravel_pytree

from .. import cli, config
from ..composition import elements
from ..errors import BornflowError
from ..io import frames
from ..models.model import Model
from ..structures.packing import pack_water
from ..training import data
from ..training.optimiser import build_optimiser, decay_of_matrices
from ..training.settings import TrainingSettings
from ..training.step import build_step, loss_weights
from .harness import OPTIONS, REFERENCE, check_arguments, measure_steps, write_table

# Molecules, structures, density [g/cm³] (None: clusters).
BATCHES: dict[str, tuple[int, int, float | None]] = {
    "hexamer": (6, 1, None),
    "four-hexamers": (6, 4, None),
    "box": (32, 1, 0.997),
}


def structures(batch: str) -> list[Atoms]:
    """Water clusters or a box with labels of zero."""
    molecules, count, density = BATCHES[batch]
    labelled = []
    for seed in range(count):
        atoms = pack_water(molecules, np.random.default_rng(seed), density)
        atoms.info = {"structure": f"{batch}-{seed}", "kind": "cluster" if density is None else "bulk"}
        forces, bec = np.zeros((len(atoms), 3)), np.zeros((len(atoms), 9))
        labelled.append(frames.with_labels(atoms, {"energy": 0.0, "forces": forces, "bec": bec}))
    return labelled


def bornflow_step(
    variant: Mapping[str, Any], options: Mapping[str, Any], labelled: Sequence[Atoms]
) -> Callable[[], None]:
    """A step of a bornflow model on a batch, as in `training.train`."""
    model = Model(variant, elements(labelled))
    atoms = sum(len(structure) for structure in labelled)
    (bucket,) = data.make_buckets(labelled, model, np.zeros(len(model.elements)), atoms, shapes=1)
    batch = data.make_batch(bucket, np.arange(len(labelled)))
    first = model.initialise(jax.tree.map(lambda leaf: leaf[0], bucket.data.graph), seed=0)
    parameters, unravel = ravel_pytree(first)
    settings = TrainingSettings.from_section(options)
    decay = decay_of_matrices(first, settings.decay_of(variant["backbone"]))
    optimiser = build_optimiser(settings, 1, decay, unravel)
    step = build_step(model, optimiser, loss_weights(settings.loss, model), unravel)
    state = [parameters, jnp.copy(parameters), optimiser.init(parameters)]

    def next_step() -> None:
        state[:] = jax.block_until_ready(step(*state, batch, np.float32(0.99)))[:3]

    return next_step


def lorem_jax_step(options: Mapping[str, Any], labelled: Sequence[Atoms]) -> Callable[[], None]:
    """A step of lorem-jax's model of Born effective charges in its default size, on the same batch."""
    from lorem import LoremBEC
    from lorem.batching import to_batch, to_sample

    model, weights = LoremBEC(), options["loss"]
    samples = [to_sample(atoms, model.cutoff, keys=()) for atoms in labelled]
    batch = jax.tree.map(jnp.asarray, to_batch(samples, []))
    optimiser = optax.chain(optax.clip_by_global_norm(options["clip"]), optax.adam(options["learning_rate"]))

    def loss(parameters: Any, batch: Any, labels: Mapping[str, jax.Array]) -> Any:
        predicted = model.predict(parameters, batch)
        named = {"energy": predicted["energy"], "forces": predicted["forces"], "bec": predicted["apt"]}
        return sum(weights[key] * jnp.mean((named[key] - labels[key]) ** 2) for key in named)

    @jax.jit
    def step(parameters: Any, state: Any, batch: Any, labels: Mapping[str, jax.Array]) -> tuple[Any, Any]:
        gradient = jax.grad(loss)(parameters, batch, labels)
        updates, state = optimiser.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state

    parameters = model.init(jax.random.key(0), *model.dummy_inputs())
    n = batch.sr.positions.shape[0]
    labels = {
        "energy": jnp.zeros(batch.sr.cell.shape[0]),
        "forces": jnp.zeros((n, 3)),
        "bec": jnp.zeros((n, 3, 3)),
    }
    state = [parameters, optimiser.init(parameters)]

    def next_step() -> None:
        state[:] = jax.block_until_ready(step(*state, batch, labels))

    return next_step


@cli.command
def main() -> None:
    """Time a step of training of the models and write a table."""
    batches = cli.option("batches, each of which is timed", list(BATCHES), nargs="+", choices=BATCHES)
    args = cli.parse(main, "config", batch=batches, **OPTIONS)
    if other := [name for name in args.peers if name != REFERENCE]:
        raise BornflowError(f"--peers: the training of {other[0]} is not timed; only {REFERENCE}'s is")
    if args.one:
        options, labelled = config.load(args.config, "training"), structures(args.batch[0])
        if args.one == REFERENCE:
            step = lorem_jax_step(options, labelled)
        else:
            step = bornflow_step(config.load_variant(args.config, args.one), options, labelled)
        print(json.dumps(measure_steps(step, args.seconds) | {"device": jax.devices()[0].device_kind}))
        return
    check_arguments(args)
    jobs = [(name, batch) for batch in args.batch for name in [*args.models, *args.peers]]
    write_table("bornflow.benchmarks.training", "batch", jobs, args)


if __name__ == "__main__":
    main()
