"""Join the structures of all pools, each under a name of its own.

python -m bornflow.structures.collect --structures a.extxyz b.extxyz --out selected.extxyz
"""

import argparse

from ..cli import command
from ..io import frames


@command
def main() -> None:
    """Write one file of all structures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--structures", required=True, nargs="+")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    frames.write(args.out, frames.read_all(args.structures, allow_empty=True, unique=True))


if __name__ == "__main__":
    main()
