"""The name of a structure in messages, and whether it is isolated or periodic."""

from ase import Atoms

from .errors import BornflowError


def name(atoms: Atoms) -> str:
    """The name of a structure in messages: `structure` of its `info`, or else its formula."""
    return str(atoms.info.get("structure", atoms.get_chemical_formula()))


def place(atoms: Atoms) -> str:
    """The name of a structure and, unless it is a copy, the file and frame it was read from."""
    origin = getattr(atoms, "origin", None)
    return f"{name(atoms)} ({origin})" if origin else name(atoms)


def kind(atoms: Atoms, label: str | None = None) -> str:
    """`cluster` for an isolated structure, `bulk` for one periodic in three directions.

    Raises BornflowError for a structure that is periodic in one or two; the message calls it `label`.
    """
    if not atoms.pbc.any():
        return "cluster"
    if atoms.pbc.all():
        return "bulk"
    raise BornflowError(
        f"{label or name(atoms)} is periodic in {atoms.pbc.tolist()}; make it periodic in all three "
        "directions or in none"
    )
