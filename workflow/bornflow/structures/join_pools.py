"""The structures to label: the selections of all pools in one file, each structure under a unique name.

python -m bornflow.structures.join_pools --structures a.extxyz b.extxyz --out selected.extxyz
"""

from .. import cli
from ..io import frames


@cli.command
def main() -> None:
    """Write all structures to one file; two of one name are an error."""
    args = cli.parse(main, "out", structures=cli.options("extxyz files of structures"))
    frames.write(args.out, frames.read_all(args.structures, allow_empty=True, unique=True))


if __name__ == "__main__":
    main()
