"""How a structure is called in messages, and whether it is isolated or periodic."""

from ase import Atoms

from .errors import BornflowError


def name(atoms: Atoms) -> str:
    """What a structure is called in messages."""
    return str(atoms.info.get("structure", atoms.get_chemical_formula()))


def place(atoms: Atoms) -> str:
    """The name of a structure and, as long as it is not copied, where it was read."""
    origin = getattr(atoms, "origin", None)
    return f"{name(atoms)} ({origin})" if origin else name(atoms)


def kind(atoms: Atoms, called: str | None = None) -> str:
    """`cluster` for an isolated structure, `bulk` for one periodic in three directions.

    Raises BornflowError, which names it as `called`, for one periodic in one or two.
    """
    if not atoms.pbc.any():
        return "cluster"
    if atoms.pbc.all():
        return "bulk"
    raise BornflowError(
        f"{called or name(atoms)} is periodic in {atoms.pbc.tolist()}; make it periodic in all three "
        "directions or in none"
    )
