"""Join labelled sets, such as a shipped one and the batches of a run that is not finished yet.

python -m bornflow.labels.merge --sets old.extxyz results/labels/batches/*.extxyz --out new.extxyz
"""

import argparse
from collections.abc import Sequence

from ase import Atoms

from ..cli import command
from ..errors import BornflowError
from ..io import frames

WAY = ("label_program", "label_settings", "field_operator")  # what says how a frame was labelled


def merge(structures: Sequence[Atoms]) -> list[Atoms]:
    """All frames in their order, one for each calculation (`label_hash`); the first one stays.

    Raises BornflowError if two different labels have one name, if a frame says not how it was labelled, or
    if two were labelled in different ways: their energies could not be compared.
    """
    held: dict[str, Atoms] = {}
    ways: dict[str, tuple[str, Atoms]] = {}  # of each kind, with the first frame
    for atoms in structures:
        missing = [key for key in ("label_hash", *WAY) if key not in atoms.info]
        if missing:
            raise BornflowError(f"{atoms.info['structure']} has no {missing[0]}: it is not from labels.label")
        way = ", ".join(str(atoms.info[key]) for key in WAY)
        first_way, first = ways.setdefault(frames.kind(atoms), (way, atoms))
        if way != first_way:
            raise BornflowError(
                f"{first.info['structure']} was labelled with\n  {first_way}\nand {atoms.info['structure']} "
                f"with\n  {way}\nLabel one of them again, or keep two sets: training.data takes several."
            )
        held.setdefault(atoms.info["label_hash"], atoms)
    merged = list(held.values())
    frames.reject_duplicate_names(merged)
    return merged


@command
def main() -> None:
    """Write the joined set; files that hold nothing are passed over."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sets", required=True, nargs="+")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    frames.write(args.out, merge(frames.read_all(args.sets, allow_empty=True)))


if __name__ == "__main__":
    main()
