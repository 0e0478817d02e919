"""One labelled set from several, such as a shipped one and the batches of an unfinished run.

python -m bornflow.labels.join_sets --sets old.extxyz results/labels/batches/*.extxyz --out new.extxyz
"""

from collections.abc import Sequence

from ase import Atoms

from .. import cli
from ..errors import BornflowError
from ..io import frames

METHOD = ("label_program", "label_settings", "field_operator")  # entries of `info` that describe a label


def join(structures: Sequence[Atoms]) -> list[Atoms]:
    """All frames in order; of frames with the same calculation (`label_hash`) only the first.

    Raises BornflowError if two different labels have one name, if a frame does not describe its label, or if
    two frames of one kind were labelled by different methods, so that their energies cannot be compared.
    """
    joined: dict[str, Atoms] = {}
    methods: dict[str, tuple[str, Atoms]] = {}  # by kind (cluster, bulk), with the first frame
    for atoms in structures:
        missing = [key for key in ("label_hash", *METHOD) if key not in atoms.info]
        if missing:
            raise BornflowError(
                f"{atoms.info['structure']} has no {missing[0]}: it was not labelled by labels.label; label "
                "it again"
            )
        method = ", ".join(str(atoms.info[key]) for key in METHOD)
        first_method, first = methods.setdefault(frames.kind(atoms), (method, atoms))
        if method != first_method:
            raise BornflowError(
                f"{first.info['structure']} was labelled with\n  {first_method}\nand "
                f"{atoms.info['structure']} with\n  {method}\nLabel one of them again, or keep two sets: "
                "training.data accepts several."
            )
        joined.setdefault(atoms.info["label_hash"], atoms)
    frames.reject_duplicate_names(list(joined.values()))
    return list(joined.values())


@cli.command
def main() -> None:
    """Write the joined set; empty files are skipped."""
    args = cli.parse(main, "out", sets=cli.options("labelled extxyz files"))
    frames.write(args.out, join(frames.read_all(args.sets, allow_empty=True)))


if __name__ == "__main__":
    main()
