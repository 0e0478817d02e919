"""Join the batches of a labelling run and decide whether it stands.

    python -m bornflow.labels.gather --labelled 0.extxyz 1.extxyz --refused refused.csv \\
        --config cfg.yaml --out labels.extxyz
"""

import argparse

from .. import settings
from ..errors import BornflowError, command
from ..io import frames
from . import refusals


@command
def main() -> None:
    """Write the labelled set, unless too many structures were refused."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--labelled", required=True, nargs="+")
    parser.add_argument("--refused", required=True, help="CSV of all structures refused")
    parser.add_argument("--config", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    limit = settings.load(args.config, "labels")["max_refused"]
    labelled = frames.read_all(args.labelled, allow_empty=True, unique=True)
    refused = refusals.read(args.refused).to_records(index=False).tolist()
    total = len(labelled) + len(refused)
    if len(refused) > limit * total:
        named = "; ".join(f"{name}: {reason}" for name, reason in refused[:3])
        raise BornflowError(
            f"{len(refused)} of {total} structures were refused, more than labels.max_refused = "
            f"{limit:g} allows ({named}); every reason is in {args.refused}: mend the structures or the "
            "settings, or raise labels.max_refused"
        )
    frames.write(args.out, labelled)


if __name__ == "__main__":
    main()
