"""Train one model variant on labelled structures.

    python -m bornflow.training.train --train A.extxyz --valid B.extxyz --model physical-uncoupled \\
        --config cfg.yaml --seed 0 --out DIR

The run keeps its state in DIR/*.msgpack and goes on from it after a kill; the result is the same
as without one. When it is done DIR holds config.yaml, parameters.msgpack, metrics.json, history.csv.
"""

import argparse
import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ase import Atoms
from flax import serialization

from .. import frames, runtime, settings
from ..errors import BornflowError, command
from ..files import whole, write_json
from ..models.charges import with_charges
from ..models.variants import Model
from ..progress import Meter
from . import checkpoint, data, metrics, screening
from .checkpoint import Checkpoint
from .data import Bucket
from .loss import loss

TERMS = ("energy", "forces", "bec", "charge")


class State(NamedTuple):
    """Everything a run needs to go on."""

    parameters: Any
    average: Any  # exponential moving average of the parameters
    optimiser: Any
    epoch: int
    history: np.ndarray  # [epochs, 1 + terms]: total loss and its terms


def train(
    structures: Sequence[Atoms],
    variant: Mapping,
    options: Mapping,
    seed: int,
    state_path: Path | None = None,
    initial: Checkpoint | None = None,
) -> tuple[Checkpoint, np.ndarray]:
    """The trained model and its history [epochs, 1 + terms].

    `variant` is an entry of `models`, `options` the section `training` of a configuration. With a
    `state_path` the run resumes from that file if it was written by the same run. It starts from the
    parameters of `initial` where that is given, which must know the same elements.
    """
    model = Model(variant, initial.model.elements if initial else data.elements(structures))
    energies = data.baseline(structures, model.elements)
    buckets = data.prepare(structures, model, energies, options["batch_atoms"])
    weights = {key: options["loss"][key] for key in TERMS}
    if model.screening_is_fitted:
        weights["bec"] = 0.0  # its one γ is found afterwards (screening.py)
    steps = sum(-(-len(bucket.indices) // bucket.batch_size) for bucket in buckets)
    optimiser = _optimiser(options, steps)
    identity = _identity(structures, variant, options, seed, initial)
    charges = data.mean_charges(structures, model.elements)
    state = _initial(model, buckets, optimiser, seed, initial, charges)
    state = _restore(state, state_path, identity)

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(parameters, average, optimiser_state, batch):
        def objective(parameters):
            prediction = jax.vmap(model.evaluate, in_axes=(None, 0))(parameters, batch.graph)
            return loss(prediction, batch, weights)

        (value, terms), gradient = jax.value_and_grad(objective, has_aux=True)(parameters)
        updates, optimiser_state = optimiser.update(gradient, optimiser_state, parameters)
        parameters = optax.apply_updates(parameters, updates)
        average = optax.incremental_update(parameters, average, 1 - options["average"])
        row = jnp.stack([value, *(terms[key] for key in TERMS)])
        return parameters, average, optimiser_state, row

    with Meter("training", options["epochs"], "epochs", start=state.epoch) as meter:
        for epoch in range(state.epoch, options["epochs"]):
            rng = np.random.default_rng([seed, epoch])
            parameters, average, optimiser_state = state.parameters, state.average, state.optimiser
            rows = []
            for batch in data.epoch(buckets, rng):
                parameters, average, optimiser_state, row = step(parameters, average, optimiser_state, batch)
                rows.append(row)
            row = np.mean(np.array(rows), axis=0)
            if not np.isfinite(row).all():
                bad = [
                    key for key, value in zip(("total", *TERMS), row, strict=True) if not np.isfinite(value)
                ]
                raise BornflowError(
                    f"training diverged in epoch {epoch}: {', '.join(bad)} not finite; lower "
                    "training.learning_rate (the last good state is kept)"
                )
            history = np.concatenate([state.history, row[None]])
            state = State(parameters, average, optimiser_state, epoch + 1, history)
            if state_path and (epoch + 1) % options["checkpoint_epochs"] == 0:
                _store(state, state_path, identity)
            meter.advance(note=_note(row))
    return Checkpoint(model, jax.tree.map(np.asarray, state.average), energies), state.history


def _note(row: np.ndarray) -> str:
    rms = np.sqrt(row[1:4]) * 1e3
    return f"rms: E {rms[0]:.1f} meV/atom, F {rms[1]:.0f} meV/Å, Z {rms[2]:.0f}e-3 e"


def _optimiser(options: Mapping, steps_per_epoch: int) -> optax.GradientTransformation:
    total = options["epochs"] * steps_per_epoch
    if options["schedule"] == "cosine":
        warmup = min(round(options["warmup"] * total), total - 1)
        rate = optax.warmup_cosine_decay_schedule(
            0.0, options["learning_rate"], warmup, total, options["final_learning_rate"]
        )
    else:
        rate = optax.linear_schedule(options["learning_rate"], options["final_learning_rate"], total)
    return optax.chain(optax.clip_by_global_norm(options["clip"]), optax.adam(rate))


def _initial(
    model: Model,
    buckets: Sequence[Bucket],
    optimiser: optax.GradientTransformation,
    seed: int,
    initial: Checkpoint | None,
    charges: np.ndarray,
) -> State:
    if initial is None:
        graph = jax.tree.map(lambda leaf: leaf[0], buckets[0].data.graph)
        # Charges of the sign and size that Born effective charges have, and γ_i near 1.
        parameters = with_charges(model.initialise(graph, seed), charges)
    else:
        parameters = jax.tree.map(jnp.asarray, initial.parameters)
    copy = jax.tree.map(jnp.array, parameters)
    history = np.zeros((0, 1 + len(TERMS)))
    return State(parameters, copy, optimiser.init(parameters), 0, history)


def _identity(
    structures: Sequence[Atoms], variant: Mapping, options: Mapping, seed: int, initial: Checkpoint | None
) -> str:
    """A hash over all that determines the run, so that a state of another run is not resumed."""
    digest = hashlib.sha256(json.dumps([variant, options, seed], sort_keys=True).encode())
    for leaf in jax.tree.leaves(initial.parameters if initial else None):
        digest.update(np.asarray(leaf).tobytes())
    for atoms in structures:
        digest.update(atoms.positions.tobytes() + atoms.numbers.tobytes() + atoms.cell.array.tobytes())
        for key in frames.LABELS:
            value = frames.label(atoms, key)
            digest.update(b"-" if value is None else np.asarray(value).tobytes())
    return digest.hexdigest()


def _store(state: State, path: Path, identity: str) -> None:
    with whole(path) as scratch:
        content = {"identity": identity, "state": serialization.to_state_dict(state)}
        scratch.write_bytes(serialization.msgpack_serialize(jax.tree.map(_host, content)))


def _host(leaf):
    return leaf if isinstance(leaf, str | int) else np.asarray(leaf)


def _restore(state: State, path: Path | None, identity: str) -> State:
    if path is None or not path.exists():
        return state
    content = serialization.msgpack_restore(path.read_bytes())
    if content["identity"] != identity:
        return state  # left by a run with other data or settings
    target = state._replace(history=content["state"]["history"])
    return serialization.from_state_dict(target, content["state"])


def write_history(path: Path, history: np.ndarray) -> None:
    """history.csv: one row an epoch, root-mean-square errors and the loss."""
    header = [
        "epoch",
        "loss",
        "energy_rms [eV/atom]",
        "forces_rms [eV/Å]",
        "bec_rms [e]",
        "charge_penalty",
    ]
    with whole(path) as scratch, scratch.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(header)
        for epoch, (total, energy, forces, bec, charge) in enumerate(history, start=1):
            values = (total, np.sqrt(energy), np.sqrt(forces), np.sqrt(bec), charge)
            writer.writerow([epoch, *(f"{value:.6g}" for value in values)])


@command
def main() -> None:
    """Train one model and write its folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--train", required=True)
    parser.add_argument("--valid", required=True)
    parser.add_argument("--pretrain", nargs="*", default=[], help="extxyz files to train on first")
    parser.add_argument("--model", required=True, help="a key of the configuration's models")
    parser.add_argument("--config", help="a configuration; its sections training and models are read")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    runtime.keep_compiled()
    options = settings.load(args.config, "training")
    variants = settings.load(args.config, "models")
    if args.model not in variants:
        raise BornflowError(f"model {args.model} is not in {args.config}: {', '.join(variants)}")
    structures = frames.read(args.train, options["keys"])
    held_out = frames.read(args.valid, options["keys"])
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    states = [out / "pretraining.msgpack", out / "state.msgpack"]
    variant, initial = variants[args.model], None
    if args.pretrain:
        cheap = [atoms for path in args.pretrain for atoms in frames.read(path, options["keys"])]
        first = options | {"epochs": options["pretraining_epochs"]}
        initial, _ = train(cheap, variant, first, args.seed, states[0])
    trained, history = train(structures, variant, options, args.seed, states[1], initial)
    screened = {}
    if trained.model.screening_is_fitted:
        trained, screened = screening.fit(trained, held_out)
    report = {
        part: metrics.errors(part_frames, metrics.predict(trained, part_frames))
        for part, part_frames in (("train", structures), ("valid", held_out))
    }
    if screened:
        report["screening"] = screened
    write_history(out / "history.csv", history)
    write_json(out / "metrics.json", report)
    checkpoint.save(out, trained, args.model, options, args.seed)
    for state in states:
        state.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
