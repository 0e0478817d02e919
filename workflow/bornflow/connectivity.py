"""Covalent and hydrogen-bond connectivity: bonds, molecules, and hydrogen bonds between waters.

Distances alone decide which atoms are covalently bonded, each relative to the sum of the covalent radii of
the two atoms (Cordero et al., Dalton Trans. 2008, 2832).

- Two non-metals are bonded up to LONGEST_BOND of that sum.
- A hydrogen is bonded to its nearest neighbour, up to LONGEST_HYDROGEN_BOND of the sum. It has a second bond
  only if that neighbour is almost as near (SHARED_HYDROGEN), as in H5O2+, in FHF- or in a bridge of B2H6.
  A hydrogen bond, however short, is not covalent as long as the hydrogen has a nearer atom.
- IONS form no bonds: an ion and the six waters around it are seven molecules.
- METALS form bonds with METAL_PARTNERS only, as iron does in Fe(CO)5. They are not bonded to each other or to
  atoms that donate a lone pair (nitrogen, oxygen, halogens and their heavier relatives). Each atom of a metal
  or of a salt is a molecule by itself. In a liquid the neighbours of such atoms exchange, so a run does not
  monitor them as bonds.
- Crystals such as diamond, silicon or quartz are one molecule.

Where these rules do not apply, as for molecules of TiCl4, `n_molecules` in the file gives the number.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from ase.neighborlist import neighbor_list
from jaxtyping import Bool, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from . import geometry
from .errors import BornflowError
from .identity import name

LONGEST_BOND = 1.25  # sums of covalent radii; the longest at equilibrium is N2O4 with 1.23
LONGEST_HYDROGEN_BOND = 1.4  # of a hydrogen with its nearest neighbour: 1.36 Å for O-H
SHARED_HYDROGEN = 1.1  # times the distance to the nearest neighbour: limit for a second bond of hydrogen
DIATOMIC_LENGTHS = {1: 0.74, 9: 1.42}  # Å, of H2 and F2, which are longer than their sums of radii
_ALKALI_AND_EARTH = ["Li", "Na", "K", "Rb", "Cs", "Fr", "Be", "Mg", "Ca", "Sr", "Ba", "Ra"]
_P_BLOCK_METALS = ["Al", "Ga", "In", "Tl", "Sn", "Pb", "Bi", "Po"]
_TRANSITION_METALS = [*range(21, 31), *range(39, 49), *range(57, 81), *range(89, 113)]  # rare earths too
IONS = frozenset(atomic_numbers[symbol] for symbol in _ALKALI_AND_EARTH)
METALS = frozenset([*_TRANSITION_METALS, *(atomic_numbers[symbol] for symbol in _P_BLOCK_METALS)])
METAL_PARTNERS = frozenset(atomic_numbers[symbol] for symbol in ["H", "B", "C", "Si", "Ge"])

HYDROGEN_BOND_LENGTH = 2.4  # Å, of H···O in a hydrogen bond
HYDROGEN_BOND_ANGLE = 130.0  # degrees, the smallest angle O–H···O


class Bonds(NamedTuple):
    """Every bond once: from atom `first` to the image of atom `second` that is `shifts` cells away."""

    first: Int[np.ndarray, " bonds"]
    second: Int[np.ndarray, " bonds"]
    shifts: Int[np.ndarray, "bonds 3"]


def covalent_bonds(atoms: Atoms) -> Bonds:
    """The covalent bonds of a structure by the rules of this module, with periodic boundary conditions.

    Raises BornflowError for invalid positions and cells.
    """
    try:
        geometry.check(atoms.positions, atoms.cell.array if atoms.pbc.any() else None)
    except BornflowError as error:
        raise BornflowError(f"{name(atoms)}: {error}") from error
    numbers = atoms.numbers
    cutoffs = LONGEST_HYDROGEN_BOND * np.maximum(covalent_radii[numbers], max(DIATOMIC_LENGTHS.values()) / 2)
    first, second, shifts, distances = neighbor_list("ijSd", atoms, cutoffs)
    one, two = numbers[first], numbers[second]
    lengths = covalent_radii[one] + covalent_radii[two]
    for number, length in DIATOMIC_LENGTHS.items():
        lengths[(one == number) & (two == number)] = length
    relative = distances / lengths
    has_hydrogen = (one == 1) | (two == 1)
    bonded = relative < np.where(has_hydrogen, LONGEST_HYDROGEN_BOND, LONGEST_BOND)
    bonded &= _can_bond(one, two)
    first, second, shifts, relative = (values[bonded] for values in (first, second, shifts, relative))
    nearest = np.full(len(atoms), np.inf)
    np.minimum.at(nearest, first, relative)
    farthest = np.where(numbers == 1, SHARED_HYDROGEN * nearest, np.inf)
    once = (first < second) | ((first == second) & (_direction(shifts) > 0))
    kept = once & (relative <= farthest[first]) & (relative <= farthest[second])
    return Bonds(first[kept], second[kept], shifts[kept])


def _can_bond(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Whether elements `one` and `two` (atomic numbers) have covalent bonds with each other."""
    is_ion, is_metal, is_partner = np.zeros((3, 1 + max(one.max(initial=0), two.max(initial=0))), bool)
    for table, members in ((is_ion, IONS), (is_metal, METALS), (is_partner, METAL_PARTNERS)):
        table[[number for number in members if number < len(table)]] = True
    allowed = ~(is_ion[one] | is_ion[two])
    allowed &= ~is_metal[one] | is_partner[two]
    return allowed & (~is_metal[two] | is_partner[one])


def _direction(shifts: np.ndarray) -> np.ndarray:
    """The sign of the first nonzero component; it is opposite for a bond seen from its other end."""
    places = (shifts != 0).argmax(axis=1)
    return np.sign(shifts[np.arange(len(shifts)), places])


def count_connected(atoms: Atoms) -> int:
    """The number of groups of atoms that covalent bonds connect."""
    first, second, _ = covalent_bonds(atoms)
    bonds = coo_array((np.ones(len(first)), (first, second)), shape=(len(atoms), len(atoms)))
    return int(connected_components(bonds, directed=False)[0])


def count_molecules(atoms: Atoms) -> int:
    """The number of molecules: `n_molecules` of `info` if it is given, otherwise `count_connected`.

    Raises BornflowError if `n_molecules` is not an integer from 1 to the number of atoms.
    """
    given = atoms.info.get("n_molecules")
    return count_connected(atoms) if given is None else _checked(given, atoms)


def _checked(given: Any, atoms: Atoms) -> int:
    is_number = isinstance(given, int | float | np.integer | np.floating) and not isinstance(given, bool)
    if is_number and given == np.floor(given) and 1 <= given <= len(atoms):
        return int(given)
    shown = given.item() if isinstance(given, np.generic) else given
    raise BornflowError(
        f"{name(atoms)}: n_molecules is {shown!r}; an integer from 1 to {len(atoms)} (its atoms) is "
        "expected: correct it, or remove it so that molecules are counted by their bonds"
    )


def _contacts(atoms: Atoms, longest: float) -> Iterator[tuple[int, int, int]]:
    """Indices of hydrogen, donor and acceptor (oxygens) of every hydrogen bond."""
    oxygens = np.flatnonzero(atoms.numbers == 8)
    if not len(oxygens):
        return
    periodic = bool(atoms.pbc.any())
    distances = atoms.get_all_distances(mic=periodic)
    for hydrogen in np.flatnonzero(atoms.numbers == 1):
        donor = oxygens[distances[hydrogen, oxygens].argmin()]
        for acceptor in oxygens:
            if acceptor == donor or distances[hydrogen, acceptor] > longest:
                continue
            if atoms.get_angle(donor, hydrogen, acceptor, mic=periodic) > HYDROGEN_BOND_ANGLE:
                yield int(hydrogen), int(donor), int(acceptor)


def hydrogen_bonds(atoms: Atoms, longest: float = HYDROGEN_BOND_LENGTH) -> set[tuple[int, int]]:
    """Pairs (donor, acceptor) of waters, which are numbered in the order of their oxygen atoms.

    A hydrogen bond has H···O below `longest` [Å] and an angle O–H···O above HYDROGEN_BOND_ANGLE.
    """
    waters = {int(oxygen): number for number, oxygen in enumerate(np.flatnonzero(atoms.numbers == 8))}
    return {(waters[donor], waters[acceptor]) for _, donor, acceptor in _contacts(atoms, longest)}


def dangling_hydrogens(atoms: Atoms) -> Bool[np.ndarray, " atoms"]:
    """Whether each atom is a hydrogen without a hydrogen bond."""
    dangling = atoms.numbers == 1
    dangling[[hydrogen for hydrogen, _, _ in _contacts(atoms, HYDROGEN_BOND_LENGTH)]] = False
    return dangling
