"""Errors of a trained model on labelled structures.

    python -m bornflow.training.evaluate --checkpoint DIR --data B.extxyz --out metrics.json \\
        [--predictions P.extxyz]
"""

import argparse

from .. import frames, runtime, settings
from ..errors import command
from ..files import write_json
from . import checkpoint, metrics


@command
def main() -> None:
    """Evaluate a checkpoint and write its errors and, if asked for, its predictions."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--config", help="a configuration; training.keys is read")
    parser.add_argument("--out", required=True)
    parser.add_argument("--predictions", help="extxyz of the predicted labels")
    args = parser.parse_args()
    runtime.keep_compiled()
    labelled = frames.read(args.data, settings.load(args.config, "training")["keys"])
    predicted = metrics.predict(checkpoint.load(args.checkpoint), labelled)
    write_json(args.out, metrics.errors(labelled, predicted))
    if args.predictions:
        frames.write(args.predictions, predicted)


if __name__ == "__main__":
    main()
