"""Train one model variant on labelled structures.

    python -m bornflow.training.train --train A.extxyz --valid B.extxyz --model physical-uncoupled \\
        --config cfg.yaml --seed 0 --out DIR

The run stores its state in DIR/*.msgpack. After a kill it resumes from there, with the same result as without
a kill. At the end DIR contains config.yaml, parameters.msgpack, metrics.json, history.csv and validation.csv.
If `hours` or `patience` ended the run, the state is kept so that the run can be continued.
"""

import logging
import shutil
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ase import Atoms

from .. import cli, config, jax_setup
from ..composition import composition, elements
from ..config.sections import NOT_PER_MODEL
from ..errors import BornflowError
from ..inference import checkpoint
from ..inference.batches import make_graphs
from ..inference.checkpoint import Checkpoint
from ..inference.predict import predict_labels
from ..io import frames
from ..io.files import sole_writer, write_json
from . import data, labelled_sets, screening
from .copies import copies_across
from .divergence import Diverged
from .loop import train
from .metrics import error_metrics
from .records import write_history, write_validation
from .settings import TrainingSettings
from .state import State

logger = logging.getLogger(__name__)

LAST_GOOD = "last-good"  # folder of the model before the epoch in which training diverged
STATES = ("pretraining.msgpack", "state.msgpack")  # of the two stages


@dataclass(frozen=True)
class Inputs:
    """Labelled structures by their use."""

    train: Sequence[Atoms]
    valid: Sequence[Atoms]
    pretrain: Sequence[Atoms]  # of the first stage; may be empty


@dataclass(frozen=True)
class Trained:
    """The result of all stages."""

    model: Checkpoint
    state: State  # at the end of the last stage
    seconds_before: float  # spent in the first stage
    is_complete: bool  # all epochs of all stages are done


def read_inputs(args: Namespace, settings: TrainingSettings, variant: Mapping[str, Any]) -> Inputs:
    """Read and check all labelled files, so that mistakes are reported before training starts."""
    train, valid = (labelled_sets.read([path], settings) for path in (args.train, args.valid))
    pretrain = labelled_sets.read(args.pretrain, settings)
    for labelled in ([*train, *valid], pretrain):
        labelled_sets.check(labelled, settings)
    if args.limit:
        train = data.spread_evenly(train, args.limit)
    inputs = Inputs(train, valid, pretrain)
    check_inputs(inputs, variant)
    return inputs


def check_inputs(inputs: Inputs, variant: Mapping[str, Any]) -> None:
    """Raise BornflowError for elements unknown to the model; warn of shared structures and missing labels."""
    known = elements(inputs.pretrain or inputs.train)
    for atoms in (*inputs.train, *inputs.valid):
        composition(atoms, known)
    if shared := copies_across([*inputs.train, *inputs.pretrain], inputs.valid):
        names = ", ".join(frames.name(held_out) for _, held_out in shared[:5])
        logger.warning(
            "%d held-out structures are also training structures (%s), so the held-out errors are too small: "
            "make both files with bornflow.training.split",
            len(shared),
            names,
        )
    labels = {key for atoms in inputs.train for key in data.present_labels(atoms)}
    if "bec" not in labels and variant["charges"] != "global":
        logger.warning(
            "no training structure has Born effective charges: do not use those of this model, or spectra "
            "from them"
        )
    if not labels & {"energy", "forces"}:
        logger.warning(
            "no training structure has energies or forces: do not use those of this model, or molecular "
            "dynamics with them"
        )


def train_in_stages(
    inputs: Inputs, variant: Mapping[str, Any], settings: TrainingSettings, seed: int, out: Path
) -> Trained:
    """Train on the pretraining files, if there are any, then on the others. Raises Diverged."""
    initial, seconds_before, is_complete = None, 0.0, True
    if inputs.pretrain:
        first = replace(settings, epochs=settings.pretraining_epochs)
        initial, stage = train(inputs.pretrain, variant, first, seed, out / STATES[0])
        seconds_before, is_complete = stage.seconds, stage.epoch == first.epochs
    model, state = train(inputs.train, variant, settings, seed, out / STATES[1], initial, inputs.valid)
    return Trained(model, state, seconds_before, is_complete and state.epoch == settings.epochs)


def measure(trained: Checkpoint, inputs: Inputs) -> tuple[Checkpoint, dict[str, Any]]:
    """The model with its screening γ, if that is fitted after training, and its metrics on both subsets."""
    labelled, count = [*inputs.train, *inputs.valid], len(inputs.train)
    graphs = make_graphs(labelled, trained.model)
    predicted = predict_labels(trained, labelled, graphs)
    fitted: dict[str, float] = {}
    if trained.model.screening_is_fitted:
        trained, fitted = screening.fit(trained, inputs.valid, predicted[count:])
        predicted = predict_labels(trained, labelled, graphs)
    report: dict[str, Any] = {
        subset: error_metrics(labelled[rows], predicted[rows])
        for subset, rows in (("train", slice(count)), ("valid", slice(count, None)))
    }
    return trained, report | ({"screening": fitted} if fitted else {})


def write_outputs(
    out: Path, trained: Trained, report: Mapping[str, Any], name: str, section: Mapping[str, Any], seed: int
) -> None:
    """Write the model's folder; the states of a complete run are removed."""
    write_history(out / "history.csv", trained.state.history)
    write_validation(out / "validation.csv", trained.state.validation, trained.seconds_before)
    write_json(out / "metrics.json", report)
    checkpoint.save(out, trained.model, name, section, seed)
    shutil.rmtree(out / LAST_GOOD, ignore_errors=True)
    if trained.is_complete:
        for state in STATES:
            (out / state).unlink(missing_ok=True)


def parse() -> Namespace:
    """The arguments of the command line."""
    return cli.parse(
        main,
        "seed",
        train=cli.option("labelled extxyz file to train on"),
        valid=cli.option("labelled extxyz file to validate on"),
        pretrain=cli.options("labelled extxyz files to train on first", []),
        model=cli.option("a key of the configuration's models"),
        config=cli.option("configuration file; its sections training and models are read", None),
        limit=cli.option("train on only this many of the structures", None, type=cli.count),
        out=cli.option("folder to write"),
    )


@cli.command
def main() -> None:
    """Train one model and write its folder."""
    args = parse()
    jax_setup.configure()
    with sole_writer(args.out):
        make_model(args)


def make_model(args: Namespace) -> None:
    """Train, measure and write the model that the command line describes."""
    section = config.load(args.config, "training")
    settings, variant = TrainingSettings.from_section(section), config.load_variant(args.config, args.model)
    inputs = read_inputs(args, settings, variant)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    described = {key: value for key, value in section.items() if key not in NOT_PER_MODEL}
    described["pretraining"] = args.pretrain
    try:
        trained = train_in_stages(inputs, variant, settings, args.seed, out)
    except Diverged as error:
        if error.last is None:
            raise
        checkpoint.save(out / LAST_GOOD, error.last, args.model, described, args.seed)
        raise BornflowError(f"{error} Its model before that epoch is in {out / LAST_GOOD}.") from error
    model, report = measure(trained.model, inputs)
    write_outputs(out, replace(trained, model=model), report, args.model, described, args.seed)


if __name__ == "__main__":
    main()
