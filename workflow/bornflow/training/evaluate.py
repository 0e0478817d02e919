"""Metrics of a trained model on labelled structures.

    python -m bornflow.training.evaluate --checkpoint DIR --data B.extxyz --out metrics.json \\
        [--predictions P.extxyz]
"""

from pathlib import Path

from .. import cli, config, jax_setup
from ..inference import checkpoint
from ..inference.predict import predict_labels
from ..io import frames
from ..io.files import write_json
from . import labelled_sets
from .metrics import error_metrics
from .settings import TrainingSettings
from .tables import read_screening


@cli.command
def main() -> None:
    """Write the metrics of a model, the interval of a fitted γ and, if requested, the predictions."""
    args = cli.parse(
        main,
        "checkpoint",
        data=cli.option("labelled extxyz file"),
        config=cli.option("configuration file; its section training determines how labels are read", None),
        out=cli.option("JSON file to write"),
        predictions=cli.option("extxyz file to write: the predicted labels", None),
    )
    jax_setup.configure()
    settings = TrainingSettings.from_section(config.load(args.config, "training"))
    labelled = labelled_sets.read([args.data], settings)
    labelled_sets.check(labelled, settings)
    predicted = predict_labels(checkpoint.load(args.checkpoint), labelled)
    metrics = error_metrics(labelled, predicted)
    report = Path(args.checkpoint, "metrics.json")
    if report.exists():
        metrics["all"] |= read_screening(report)
    write_json(args.out, metrics)
    if args.predictions:
        frames.write(args.predictions, predicted)


if __name__ == "__main__":
    main()
