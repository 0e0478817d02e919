"""Train one model variant on labelled structures.

    python -m bornflow.training.train --train A.extxyz --valid B.extxyz --model physical-uncoupled \\
        --config cfg.yaml --seed 0 --out DIR

The run keeps its state in DIR/*.msgpack and goes on from it after a kill; the result is the same
as without one. When it is done DIR holds config.yaml, parameters.msgpack, metrics.json,
history.csv and validation.csv; the state stays where `hours` or `patience` ended it, for more of them.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from jax.flatten_util import ravel_pytree

from .. import frames, runtime, settings
from ..errors import BornflowError, command
from ..files import write_json
from ..models.charges import with_charges
from ..models.variants import Model
from ..progress import Meter
from . import checkpoint, data, metrics, screening
from .checkpoint import Checkpoint
from .compare import QUANTITIES
from .data import Bucket
from .loss import TERMS
from .reports import divergence, explained, note
from .schedule import adamw, decay_of_matrices, ending
from .state import State, identity, restore, store, write_history, write_validation
from .step import build, loss_weights


class Diverged(BornflowError):
    """Training that diverged; `last` is the model of the last state that was stored, if any was."""

    def __init__(self, message: str, last: Checkpoint | None):
        super().__init__(message)
        self.last = last


def train(
    structures: Sequence[Atoms],
    variant: Mapping,
    options: Mapping,
    seed: int,
    state_path: Path | None = None,
    initial: Checkpoint | None = None,
    held_out: Sequence[Atoms] = (),
) -> tuple[Checkpoint, State]:
    """The trained model and the state it ended in, with its history.

    `variant` is an entry of `models`, `options` the section `training` of a configuration: its `patience`
    and `hours` may end the run early. With a `state_path` the run resumes from that file if the same run
    wrote it. It starts from the parameters of `initial` where that is given, which knows the same elements.
    Errors on `held_out` are recorded every `validate_epochs`. Raises Diverged.
    """
    model = Model(variant, initial.model.elements if initial else data.elements(structures))
    energies = data.baseline(structures, model.elements)
    buckets = data.prepare(structures, model, energies, options["batch_atoms"], options["shapes"])
    weights = loss_weights(options, model)
    followed = held_out if options["validate_epochs"] else []
    tests = data.prepare(followed, model, energies, metrics.BATCH_ATOMS, shapes=1)
    steps = sum(-(-len(bucket.indices) // bucket.batch_size) for bucket in buckets)
    waste = data.padding(buckets)
    print(f"{len(structures)} structures, {len(buckets)} shapes, {waste:.0%} padding", file=sys.stderr)
    run = identity(structures, variant, options, seed, initial)
    charges = np.zeros(len(model.elements))
    if options["initial_charges"] and initial is None:
        charges = data.mean_charges(structures, model.elements)
    first = _initial(model, buckets, seed, initial, charges)
    parameters, unravel = ravel_pytree(first)
    decay = decay_of_matrices(first, options["weight_decay"][variant["backbone"]])
    optimiser = adamw(options, steps, decay)
    history, validation = np.zeros((0, 1 + len(TERMS))), np.zeros((0, 2 + len(QUANTITIES)))
    state = State(parameters, jnp.copy(parameters), optimiser.init(parameters), 0, history, validation, 0.0)
    state = restore(state, state_path, run)
    step = build(model, optimiser, weights, unravel)

    begun, stored = time.monotonic() - state.seconds, time.monotonic()
    with Meter("training", options["epochs"], "epochs", start=state.epoch) as meter:
        for epoch in range(state.epoch, options["epochs"]):
            if reason := ending(state, options):
                print(f"training ends after {epoch} of {options['epochs']} epochs: {reason}", file=sys.stderr)
                break
            rng = np.random.default_rng([seed, epoch])
            parameters, average, optimiser_state = state.parameters, state.average, state.optimiser
            rows, seen = [], []
            for number, batch in enumerate(data.epoch(buckets, rng)):
                kept = _kept(options["average"], epoch * steps + number)
                parameters, average, optimiser_state, row, *terms = step(
                    parameters, average, optimiser_state, batch, kept
                )
                rows.append(row)
                seen.append((batch.index, *terms))
            rows, seen = jax.device_get((rows, seen))  # once, not step by step
            sums, counts = np.sum(rows, axis=0)
            row = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
            if why := divergence(rows, seen, state.history):
                last = None
                if state_path and state_path.exists():
                    last = _model(model, unravel, restore(state, state_path, run), energies)
                raise Diverged(explained(why, seen, structures, epoch, state_path), last)
            if not weights["bec"]:
                row[1 + TERMS.index("bec")] = np.nan
            history, found = np.concatenate([state.history, row[None]]), state.validation
            seconds = time.monotonic() - begun
            if tests and ((epoch + 1) % options["validate_epochs"] == 0 or epoch + 1 == options["epochs"]):
                errors = _validate(Checkpoint(model, unravel(average), energies), held_out, tests)
                found = np.concatenate([found, [[epoch + 1, seconds, *errors]]])
            state = State(parameters, average, optimiser_state, epoch + 1, history, found, seconds)
            if state_path and time.monotonic() - stored >= 60 * options["checkpoint_minutes"]:
                store(state, state_path, run)
                stored = time.monotonic()
            meter.advance(note=note(row))
    if state_path:
        store(state, state_path, run)  # what another stage starts from is the same after a kill
    return _model(model, unravel, state, energies), state


def _model(model: Model, unravel: Callable, state: State, energies: np.ndarray) -> Checkpoint:
    return Checkpoint(model, jax.tree.map(np.asarray, unravel(state.average)), energies)


def _validate(trained: Checkpoint, held_out: Sequence[Atoms], buckets: Sequence[Bucket]) -> list[float]:
    found = metrics.errors(held_out, metrics.predict(trained, held_out, buckets))["all"]
    unfitted = {"bec_mae [1e-3 e]"} if trained.model.screening_is_fitted else set()
    return [np.nan if name in unfitted else found.get(name, np.nan) for name in QUANTITIES]


def _kept(average: float, step: int) -> np.float32:
    """What the moving average keeps of itself: less at first, so that it forgets the initial weights."""
    return np.float32(min(average, (1 + step) / (10 + step)))


def _initial(
    model: Model, buckets: Sequence[Bucket], seed: int, initial: Checkpoint | None, charges: np.ndarray
):
    """The parameters that training starts from."""
    if initial is not None:
        return jax.tree.map(jnp.asarray, initial.parameters)
    graph = jax.tree.map(lambda leaf: leaf[0], buckets[0].data.graph)
    # Charges of the sign and size that Born effective charges have, and γ_i near 1.
    return with_charges(model.initialise(graph, seed), charges)


def _check(
    structures: Sequence[Atoms], held_out: Sequence[Atoms], cheap: Sequence[Atoms], variant: Mapping
) -> None:
    """Find out now what would end the training late, such as unknown elements, or make it useless."""
    known = data.elements(cheap or structures)
    for atoms in (*structures, *held_out):
        data.composition(atoms, known)

    def has(key: str) -> bool:
        return any(frames.label(atoms, key) is not None for atoms in structures)

    if not has("bec") and variant["charges"] != "global":
        print(
            "no structure to train on has Born effective charges: those of this model mean nothing, nor do "
            "spectra made of them",
            file=sys.stderr,
        )
    if not (has("energy") or has("forces")):
        print(
            "no structure to train on has energy or forces: those of this model mean nothing, nor do runs "
            "made with them",
            file=sys.stderr,
        )


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
    parser.add_argument("--limit", type=int, help="train on so many of the structures, for learning curves")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    runtime.keep_compiled()
    options = settings.load(args.config, "training")
    variants = settings.load(args.config, "models")
    if args.model not in variants:
        where = args.config or "the default configuration (give --config)"
        raise BornflowError(f"model {args.model} is not in {where}: {', '.join(variants)}")
    structures = frames.read(args.train, options["keys"])
    held_out = frames.read(args.valid, options["keys"])
    if args.limit:
        structures = data.subset(structures, args.limit)
    cheap = frames.read_all(args.pretrain, options["keys"])
    _check(structures, held_out, cheap, variants[args.model])
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    states = [out / "pretraining.msgpack", out / "state.msgpack"]
    variant, initial, before = variants[args.model], None, 0.0
    try:
        if cheap:
            first = options | {"epochs": options["pretraining_epochs"]}
            initial, stage = train(cheap, variant, first, args.seed, states[0])
            before = stage.seconds
        trained, end = train(structures, variant, options, args.seed, states[1], initial, held_out)
    except Diverged as error:
        if error.last is None:
            raise
        checkpoint.save(out / "last-good", error.last, args.model, options, args.seed)
        raise BornflowError(f"{error} Its model is in {out / 'last-good'}.") from error
    labelled, count = [*structures, *held_out], len(structures)
    predicted, screened = metrics.predict(trained, labelled), {}
    if trained.model.screening_is_fitted:
        trained, screened = screening.fit(trained, held_out, predicted[count:])
        predicted = metrics.predict(trained, labelled)
    report = {
        part: metrics.errors(labelled[rows], predicted[rows])
        for part, rows in (("train", slice(count)), ("valid", slice(count, None)))
    }
    if screened:
        report["screening"] = screened
    write_history(out / "history.csv", end.history)
    write_validation(out / "validation.csv", end.validation, before)
    write_json(out / "metrics.json", report)
    checkpoint.save(out, trained, args.model, options, args.seed)
    if end.epoch == options["epochs"]:
        for state in states:
            state.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
