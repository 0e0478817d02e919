"""A published model in place of a trained one: the same folder, with its errors on the labelled structures.

    python -m bornflow.training.imported --train A.extxyz --valid B.extxyz --model paper \\
        --config cfg.yaml --out DIR

`inference.published` reads the folder that `models.NAME.published` names. The one γ of a model with global
charges is fitted to the validation structures, as after a training. Both files are used for errors.
"""

import logging
from pathlib import Path

import numpy as np

from .. import cli, config, jax_setup
from ..errors import BornflowError
from ..inference import checkpoint, published
from ..inference.checkpoint import Checkpoint
from ..io.files import write_json
from . import labelled_sets
from .records import write_history, write_validation
from .settings import TrainingSettings
from .train import Inputs, measure

logger = logging.getLogger(__name__)

STATED = ("backbone", "charges")  # settings of a model that rules depend on


def read(config_path: str | None, name: str) -> Checkpoint:
    """The published model that the configuration names.

    Raises BornflowError if its backbone or its charges are not those of the configuration.
    """
    models = config.load(config_path, "models")
    if name not in models or "published" not in models[name]:
        raise BornflowError(f"--model is {name}, which is not a model with `published` in {config_path}")
    found = published.read(models[name]["published"])
    for key in STATED:
        actual = getattr(found.model.variant, key)
        if models[name][key] != actual:
            raise BornflowError(
                f"models.{name}.{key}: {models[name][key]} found, but the model in "
                f"{models[name]['published']} has {actual}; correct it"
            )
    return found


@cli.command
def main() -> None:
    """Write the folder of a published model."""
    args = cli.parse(
        main,
        train=cli.option("labelled extxyz file"),
        valid=cli.option("labelled extxyz file that one γ is fitted to"),
        model=cli.option("a key of the configuration's models"),
        config=cli.option("configuration file; its sections training and models are read", None),
        out=cli.option("folder to write"),
    )
    jax_setup.configure()
    settings = TrainingSettings.from_section(config.load(args.config, "training"))
    found = read(args.config, args.model)
    train, valid = (labelled_sets.read([path], settings) for path in (args.train, args.valid))
    model, report = measure(found, Inputs(train, valid, pretrain=[]))
    out = Path(args.out)
    write_history(out / "history.csv", np.zeros((0, 5)))
    write_validation(out / "validation.csv", np.zeros((0, 5)))
    write_json(out / "metrics.json", report)
    checkpoint.save(out, model, args.model, {"published": args.model}, 0)


if __name__ == "__main__":
    main()
