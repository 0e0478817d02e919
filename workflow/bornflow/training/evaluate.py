"""Errors of a trained model on labelled structures.

    python -m bornflow.training.evaluate --checkpoint DIR --data B.extxyz --out metrics.json \\
        [--predictions P.extxyz]
"""

import argparse
from pathlib import Path

from .. import config, jax_setup
from ..cli import command
from ..inference import checkpoint
from ..io import frames
from ..io.files import write_json
from . import intake, metrics, tables


@command
def main() -> None:
    """Write a checkpoint's errors, with the interval of a fitted γ, and if asked for its predictions."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--config", help="a configuration; training.keys is read")
    parser.add_argument("--out", required=True)
    parser.add_argument("--predictions", help="extxyz of the predicted labels")
    args = parser.parse_args()
    jax_setup.configure()
    options = config.load(args.config, "training")
    labelled = intake.read([args.data], options)
    intake.check(labelled, options)
    predicted = metrics.predict(checkpoint.load(args.checkpoint), labelled)
    found = metrics.errors(labelled, predicted)
    fitted = Path(args.checkpoint, "metrics.json")
    if fitted.exists():
        found["all"] |= tables.screening(fitted)
    write_json(args.out, found)
    if args.predictions:
        frames.write(args.predictions, predicted)


if __name__ == "__main__":
    main()
