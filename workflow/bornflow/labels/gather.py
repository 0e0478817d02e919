"""Join the batches of a labelling run and decide whether it stands.

    python -m bornflow.labels.gather --labelled 0.extxyz 1.extxyz --rejected rejected.csv \\
        --config cfg.yaml --out labels.extxyz
"""

import argparse

from .. import config
from ..cli import command
from ..errors import BornflowError
from ..io import frames
from . import rejections


@command
def main() -> None:
    """Write the labelled set, unless too many structures were rejected."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--labelled", required=True, nargs="+")
    parser.add_argument("--rejected", required=True, help="CSV of all structures rejected")
    parser.add_argument("--config", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    limit = config.load(args.config, "labels")["max_rejected"]
    labelled = frames.read_all(args.labelled, allow_empty=True, unique=True)
    rejected = rejections.read(args.rejected).to_records(index=False).tolist()
    total = len(labelled) + len(rejected)
    if len(rejected) > limit * total:
        named = "; ".join(f"{name}: {reason}" for name, reason in rejected[:3])
        raise BornflowError(
            f"{len(rejected)} of {total} structures were rejected, more than labels.max_rejected = "
            f"{limit:g} allows ({named}); every reason is in {args.rejected}: mend the structures or the "
            "settings, or raise labels.max_rejected"
        )
    frames.write(args.out, labelled)


if __name__ == "__main__":
    main()
