"""The name of a structure in messages, the place it was read from, and whether it is isolated or periodic."""

from collections.abc import Iterable

from ase import Atoms

from .errors import BornflowError


def name(atoms: Atoms) -> str:
    """The name of a structure, or its chemical formula if it has none."""
    return str(atoms.info.get("structure", atoms.get_chemical_formula()))


def set_origin(atoms: Atoms, origin: str) -> None:
    """Store the file, frame and line of a structure. Copies lose them, since copies may be changed."""
    vars(atoms)["origin"] = origin


def name_and_origin(atoms: Atoms) -> str:
    """The name of a structure and, unless it is a copy, where it was read.

    For example `water-3 (a.xyz, frame 3, line 12)`.
    """
    origin = getattr(atoms, "origin", None)
    return f"{name(atoms)} ({origin})" if origin else name(atoms)


def kind(atoms: Atoms, label: str | None = None) -> str:
    """`cluster` for an isolated structure, `bulk` for one that is periodic in three directions.

    Raises BornflowError for one that is periodic in one or two; the message calls it `label`.
    """
    if not atoms.pbc.any():
        return "cluster"
    if atoms.pbc.all():
        return "bulk"
    raise BornflowError(
        f"{label or name(atoms)} is periodic in {atoms.pbc.tolist()}; make it periodic in all three "
        "directions or in none"
    )


def groups_of(structures: Iterable[Atoms]) -> set[str]:
    """The values of `group` of all structures that have one."""
    return {str(atoms.info["group"]) for atoms in structures if "group" in atoms.info}
