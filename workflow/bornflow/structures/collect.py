"""Join the structures of all pools, each under a name of its own.

python -m bornflow.structures.collect --structures a.extxyz b.extxyz --out selected.extxyz
"""

import argparse
from pathlib import Path

from .. import frames
from ..errors import command


@command
def main() -> None:
    """Write one file of all structures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--structures", required=True, nargs="+")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    held = [path for path in args.structures if Path(path).stat().st_size]
    frames.write(args.out, frames.unique([atoms for path in held for atoms in frames.read(path)]))


if __name__ == "__main__":
    main()
