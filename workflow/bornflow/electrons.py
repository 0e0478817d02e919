"""The total charge and the spin of a structure, and whether its number of electrons allows them."""

from ase import Atoms

from .errors import Rejected
from .identity import name


def total_charge(atoms: Atoms) -> int:
    """The total charge [e] of a structure (`charge` in `info`), 0 if it is not given."""
    return int(atoms.info.get("charge", 0))


def multiplicity(atoms: Atoms) -> int:
    """The spin multiplicity 2S + 1 of a structure (`multiplicity` in `info`), 1 if it is not given."""
    return int(atoms.info.get("multiplicity", 1))


def reject_impossible(atoms: Atoms) -> None:
    """Raise Rejected if charge and multiplicity do not fit the number of electrons.

    An even number of electrons has an odd multiplicity, and an odd number has an even one. There are at least
    as many electrons as unpaired ones, multiplicity − 1.
    """
    charge, spins = total_charge(atoms), multiplicity(atoms)
    electrons, unpaired = int(atoms.numbers.sum()) - charge, spins - 1
    if atoms.numbers.min(initial=1) < 1 or unpaired < 0 or electrons < unpaired or (electrons - unpaired) % 2:
        raise Rejected(
            f"structure {name(atoms)} has {electrons} electrons (charge {charge}), which do not fit "
            f"multiplicity {spins}: give `charge` and `multiplicity` in its comment line (charge=1 for a "
            "cation, multiplicity=2 for one unpaired electron)"
        )
