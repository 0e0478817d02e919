"""The labelled set of a run: the batches joined, unless too many structures were rejected.

    python -m bornflow.labels.join_batches --labelled 0.extxyz 1.extxyz --rejected rejected.csv \\
        --config cfg.yaml --out labels.extxyz
"""

from .. import cli
from ..errors import BornflowError
from ..io import frames, rejections
from .settings import load_settings


@cli.command
def main() -> None:
    """Write the labelled set, unless too many structures were rejected."""
    args = cli.parse(
        main,
        "config",
        "out",
        labelled=cli.options("labelled extxyz files, one for each batch"),
        rejected=cli.option("CSV file of all rejected structures, with reasons"),
    )
    limit = load_settings(args.config).max_rejected
    labelled = frames.read_all(args.labelled, allow_empty=True, unique=True)
    rejected = rejections.read(args.rejected)
    total = len(labelled) + len(rejected)
    if len(rejected) > limit * total:
        examples = "; ".join(f"{name}: {reason}" for name, reason in rejected[:3])
        raise BornflowError(
            f"{len(rejected)} of {total} structures were rejected, more than labels.max_rejected = "
            f"{limit:g} allows ({examples}); {args.rejected} has every reason: correct the structures or the "
            "settings, or raise labels.max_rejected"
        )
    frames.write(args.out, labelled)


if __name__ == "__main__":
    main()
