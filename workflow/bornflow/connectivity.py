"""Covalent bonds, the molecules that they make, and the hydrogen bonds between waters.

Which atoms are bonded is decided by distances alone, each relative to the sum of the covalent radii of its
two atoms (Cordero et al., Dalton Trans. 2008, 2832).

- Two non-metals are bonded up to REACH of that sum.
- A hydrogen is bonded to its nearest neighbour, up to HYDROGEN_REACH. It has a second neighbour only if that
  is almost as near (SHARED), as in H5O2+, in FHF- or in a bridge of B2H6. A hydrogen bond, however short, is
  no covalent bond while the hydrogen has an atom of its own.
- IONS are bonded to nothing: an ion and the six waters around it are seven molecules.
- METALS are bonded to PARTNERS only, as iron is in Fe(CO)5. They are not bonded to each other or to atoms
  that donate a lone pair (nitrogen, oxygen, halogens and their heavier relatives). Each atom of a metal or
  of a salt counts by itself. A liquid exchanges such neighbours: they are no bonds for a run to watch.
- Crystals such as diamond, silicon or quartz are one molecule.

Where something else is meant, as for molecules of TiCl4, `n_molecules` in the file says how many there are.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from ase.neighborlist import neighbor_list
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from . import geometry
from .errors import BornflowError
from .identity import name

REACH = 1.25  # sums of covalent radii; the longest of equilibrium is N2O4 with 1.23
HYDROGEN_REACH = 1.4  # of a hydrogen with its nearest neighbour: 1.36 Å for O-H
SHARED = 1.1  # of the distance to the nearest, up to which a hydrogen has a second neighbour
OWN_LENGTHS = {1: 0.74, 9: 1.42}  # Å, of H2 and F2, which are longer than their radii say
_ALKALI_AND_EARTH = ["Li", "Na", "K", "Rb", "Cs", "Fr", "Be", "Mg", "Ca", "Sr", "Ba", "Ra"]
_P_BLOCK_METALS = ["Al", "Ga", "In", "Tl", "Sn", "Pb", "Bi", "Po"]
_TRANSITION_METALS = [*range(21, 31), *range(39, 49), *range(57, 81), *range(89, 113)]  # rare earths too
IONS = frozenset(atomic_numbers[symbol] for symbol in _ALKALI_AND_EARTH)
METALS = frozenset([*_TRANSITION_METALS, *(atomic_numbers[symbol] for symbol in _P_BLOCK_METALS)])
PARTNERS = frozenset(atomic_numbers[symbol] for symbol in ["H", "B", "C", "Si", "Ge"])


class Bonds(NamedTuple):
    """Every bond once: from atoms `first` [n] to the images of `second` [n] by `shifts` [n, 3] cells."""

    first: np.ndarray
    second: np.ndarray
    shifts: np.ndarray


def covalent(atoms: Atoms) -> Bonds:
    """The covalent bonds of a structure, by the rules above, across the faces of a periodic cell too.

    Raises BornflowError for positions and cells that are none.
    """
    try:
        geometry.check(atoms.positions, atoms.cell.array if atoms.pbc.any() else None)
    except BornflowError as error:
        raise BornflowError(f"{name(atoms)}: {error}") from error
    numbers = atoms.numbers
    radii = np.maximum(covalent_radii[numbers], max(OWN_LENGTHS.values()) / 2)
    first, second, shifts, distances = neighbor_list("ijSd", atoms, HYDROGEN_REACH * radii)
    one, two = numbers[first], numbers[second]
    lengths = covalent_radii[one] + covalent_radii[two]
    for number, length in OWN_LENGTHS.items():
        lengths[(one == number) & (two == number)] = length
    relative = distances / lengths
    has_hydrogen = (one == 1) | (two == 1)
    bonded = relative < np.where(has_hydrogen, HYDROGEN_REACH, REACH)
    bonded &= _can_bond(one, two)
    first, second, shifts, relative = (values[bonded] for values in (first, second, shifts, relative))
    nearest = np.full(len(atoms), np.inf)
    np.minimum.at(nearest, first, relative)
    farthest = np.where(numbers == 1, SHARED * nearest, np.inf)
    once = (first < second) | ((first == second) & (_order(shifts) > 0))
    kept = once & (relative <= farthest[first]) & (relative <= farthest[second])
    return Bonds(first[kept], second[kept], shifts[kept])


def _can_bond(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Whether elements `one` and `two` (atomic numbers) have covalent bonds with each other."""
    is_ion, is_metal, is_partner = np.zeros((3, 1 + max(one.max(initial=0), two.max(initial=0))), bool)
    for table, members in ((is_ion, IONS), (is_metal, METALS), (is_partner, PARTNERS)):
        table[[number for number in members if number < len(table)]] = True
    allowed = ~(is_ion[one] | is_ion[two])
    allowed &= ~is_metal[one] | is_partner[two]
    return allowed & (~is_metal[two] | is_partner[one])


def _order(shifts: np.ndarray) -> np.ndarray:
    """The sign of the first component that is not zero: the opposite for a bond seen from its other end."""
    places = (shifts != 0).argmax(axis=1)
    return np.sign(shifts[np.arange(len(shifts)), places])


def connected(atoms: Atoms) -> int:
    """The number of groups of atoms that covalent bonds connect."""
    first, second, _ = covalent(atoms)
    bonds = coo_array((np.ones(len(first)), (first, second)), shape=(len(atoms), len(atoms)))
    return int(connected_components(bonds, directed=False)[0])


def molecules(atoms: Atoms) -> int:
    """The number of molecules: `n_molecules` of `info` where it is there, otherwise `connected`.

    Raises BornflowError for an `n_molecules` that is no whole number from 1 to the number of atoms.
    """
    said = atoms.info.get("n_molecules")
    return connected(atoms) if said is None else _whole(said, atoms)


def _whole(said: object, atoms: Atoms) -> int:
    number = isinstance(said, int | float | np.integer | np.floating) and not isinstance(said, bool)
    if number and said == np.floor(said) and 1 <= said <= len(atoms):
        return int(said)
    shown = said.item() if isinstance(said, np.generic) else said
    raise BornflowError(
        f"{name(atoms)}: n_molecules is {shown!r}; a whole number from 1 to {len(atoms)} (its atoms) is "
        "expected: correct it, or remove it so that molecules are counted by their bonds"
    )


HYDROGEN_BOND = 2.4  # Å, of H···O in a hydrogen bond
ANGLE = 130.0  # degrees, the least of O–H···O


def _contacts(atoms: Atoms, reach: float) -> Iterator[tuple[int, int, int]]:
    """Hydrogen, donor and acceptor (oxygens) of every hydrogen bond, as numbers of atoms."""
    oxygens = np.flatnonzero(atoms.numbers == 8)
    if not len(oxygens):
        return
    periodic = bool(atoms.pbc.any())
    distances = atoms.get_all_distances(mic=periodic)
    for hydrogen in np.flatnonzero(atoms.numbers == 1):
        own = oxygens[distances[hydrogen, oxygens].argmin()]
        for other in oxygens:
            if other == own or distances[hydrogen, other] > reach:
                continue
            if atoms.get_angle(own, hydrogen, other, mic=periodic) > ANGLE:
                yield int(hydrogen), int(own), int(other)


def hydrogen_bonds(atoms: Atoms, reach: float = HYDROGEN_BOND) -> set[tuple[int, int]]:
    """Pairs (donor, acceptor) of molecules, counted by their oxygen atoms.

    A bond is H···O below `reach` [Å] with O–H···O above ANGLE.
    """
    count = {atom: number for number, atom in enumerate(np.flatnonzero(atoms.numbers == 8))}
    return {(count[donor], count[acceptor]) for _, donor, acceptor in _contacts(atoms, reach)}


def dangling(atoms: Atoms) -> np.ndarray:
    """Whether each atom is a hydrogen without a hydrogen bond [N]."""
    free = atoms.numbers == 1
    free[[hydrogen for hydrogen, _, _ in _contacts(atoms, HYDROGEN_BOND)]] = False
    return free
