"""The structures to label: the selections of all pools in one file, each structure under a unique name.

python -m bornflow.structures.join_pools --structures a.extxyz b.extxyz --out selected.extxyz
"""

from .. import cli
from ..errors import BornflowError
from ..io import frames
from .candidates import NOTHING_LEFT


@cli.command
def main() -> None:
    """Write all structures to one file; two of one name, or no structure at all, are an error."""
    args = cli.parse(main, "out", structures=cli.options("extxyz files of structures"))
    structures = frames.read_all(args.structures, allow_empty=True, unique=True)
    if not structures:
        raise BornflowError(f"{', '.join(args.structures)}: {NOTHING_LEFT}")
    frames.write(args.out, structures)


if __name__ == "__main__":
    main()
