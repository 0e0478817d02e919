"""Structures that a configuration names, for the programs that examine the settings of labels."""

from collections.abc import Iterable

from ase import Atoms

from ..errors import BornflowError
from ..io import frames


def read_named(path: str, names: Iterable[str], place: str) -> dict[str, Atoms]:
    """The structures of an extxyz file that are called `names`, by name.

    Raises BornflowError for a name that the file does not contain; `place` is the configuration key with the
    names.
    """
    structures = {atoms.info["structure"]: atoms for atoms in frames.read(path)}
    missing = sorted(set(names) - set(structures))
    if missing:
        raise BornflowError(
            f"{path}: no structure is called {', '.join(missing)} ({place}); correct the name there, or "
            "give another file"
        )
    return {name: structures[name] for name in names}
