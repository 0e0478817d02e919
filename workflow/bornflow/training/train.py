"""Train one model variant on labelled structures.

    python -m bornflow.training.train --train A.extxyz --valid B.extxyz --model physical-uncoupled \\
        --config cfg.yaml --seed 0 --out DIR

The run keeps its state in DIR/*.msgpack and goes on from it after a kill; the result is the same
as without one. When it is done DIR holds config.yaml, parameters.msgpack, metrics.json,
history.csv and validation.csv; the state stays where `hours` or `patience` ended it, for more of them.
"""

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ase import Atoms

from .. import cli, config, jax_setup
from ..cli import command
from ..composition import composition, elements
from ..config.sections import NOT_PER_MODEL
from ..errors import BornflowError
from ..inference import checkpoint
from ..io import frames
from ..io.files import write_json
from . import data, intake, metrics, screening
from .loop import Diverged, train
from .relatives import shared
from .state import write_history, write_validation

LAST_GOOD = "last-good"  # folder of the model before the epoch that training diverged in


def _check(
    structures: Sequence[Atoms], held_out: Sequence[Atoms], cheap: Sequence[Atoms], variant: Mapping
) -> None:
    """Find out now what would end the training late, such as unknown elements, or make it useless."""
    known = elements(cheap or structures)
    for atoms in (*structures, *held_out):
        composition(atoms, known)

    if both := shared([*structures, *cheap], held_out):
        names = ", ".join(frames.name(held) for _, held in both[:5])
        print(
            f"warning: {len(both)} structures held out are trained on too ({names}); errors of those held "
            "out are too small: make the parts with bornflow.training.split",
            file=sys.stderr,
        )

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
    parser.add_argument("--seed", type=cli.seed, default=0)
    parser.add_argument("--limit", type=cli.count, help="train on so many of the structures only")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    jax_setup.configure()
    options = config.load(args.config, "training")
    variants = config.load(args.config, "models")
    if args.model not in variants:
        where = args.config or "the default configuration (give --config)"
        raise BornflowError(f"model {args.model} is not in {where}: {', '.join(variants)}")
    structures = intake.read([args.train], options)
    held_out = intake.read([args.valid], options)
    cheap = intake.read(args.pretrain, options)
    for labelled in ([*structures, *held_out], cheap):
        intake.check(labelled, options)
    if args.limit:
        structures = data.subset(structures, args.limit)
    _check(structures, held_out, cheap, variants[args.model])
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    described = {key: value for key, value in options.items() if key not in NOT_PER_MODEL}
    described["pretraining"] = args.pretrain
    states = [out / "pretraining.msgpack", out / "state.msgpack"]
    variant, initial, before, whole = variants[args.model], None, 0.0, True
    try:
        if cheap:
            first = options | {"epochs": options["pretraining_epochs"]}
            initial, stage = train(cheap, variant, first, args.seed, states[0])
            before, whole = stage.seconds, stage.epoch == first["epochs"]
        trained, end = train(structures, variant, options, args.seed, states[1], initial, held_out)
    except Diverged as error:
        if error.last is None:
            raise
        checkpoint.save(out / LAST_GOOD, error.last, args.model, described, args.seed)
        raise BornflowError(f"{error} Its model before that epoch is in {out / LAST_GOOD}.") from error
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
    checkpoint.save(out, trained, args.model, described, args.seed)
    shutil.rmtree(out / LAST_GOOD, ignore_errors=True)
    if whole and end.epoch == options["epochs"]:
        for state in states:
            state.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
