"""Join labelled sets, such as a shipped one and the batches of a run that is not finished yet.

python -m bornflow.labels.merge --sets old.extxyz results/labels/batches/*.extxyz --out new.extxyz
"""

import argparse
from collections.abc import Sequence

from ase import Atoms

from .. import frames
from ..errors import command


def merge(sets: Sequence[Sequence[Atoms]]) -> list[Atoms]:
    """All frames in their order, one for each calculation (`label_hash`); the first one stays.

    Raises BornflowError if two different labels have one name.
    """
    held: dict[str, Atoms] = {}
    for atoms in (atoms for part in sets for atoms in part):
        held.setdefault(str(atoms.info.get("label_hash", atoms.info["structure"])), atoms)
    return list(frames.unique(list(held.values())))


@command
def main() -> None:
    """Write the joined set; files that hold nothing are passed over."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sets", required=True, nargs="+")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    frames.write(args.out, merge([frames.read_all(args.sets)]))


if __name__ == "__main__":
    main()
