"""Start structures of the water hexamer: book, cage and prism, found by random search.

    python -m bornflow.structures.isomers --names book cage prism --tries 400 --out-dir resources/structures

Random packings are relaxed with GFN2-xTB and recognised by the graph of their hydrogen bonds; of
each isomer the minimum of lowest energy is kept.
"""

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.optimize import FIRE
from tblite.ase import TBLite

from .. import frames
from ..errors import BornflowError, command
from ..progress import track
from .packing import pack_water

# Hydrogen-bond graphs of the hexamers (Pérez et al., Science 336, 897 (2012)).
ISOMERS = {
    # two rings of four that share an edge
    "book": ((0, 1), (1, 2), (2, 3), (3, 0), (2, 4), (4, 5), (5, 3)),
    # a ring of four with both pairs of opposite corners bridged by one molecule
    "cage": ((0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (4, 2), (1, 5), (5, 3)),
    # two rings of three on top of each other
    "prism": ((0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (0, 3), (1, 4), (2, 5)),
}


def hydrogen_bonds(atoms: Atoms, reach: float = 2.4, angle: float = 130.0) -> set[tuple[int, int]]:
    """Pairs (donor, acceptor) of molecules, counted by their oxygen atoms.

    A bond is H···O below `reach` [Å] with O–H···O above `angle` [degrees].
    """
    oxygens = [atom.index for atom in atoms if atom.symbol == "O"]
    distances = atoms.get_all_distances(mic=bool(atoms.pbc.any()))
    bonds = set()
    for hydrogen in (atom.index for atom in atoms if atom.symbol == "H"):
        own = min(oxygens, key=lambda oxygen: distances[hydrogen, oxygen])
        for other in oxygens:
            if other == own or distances[hydrogen, other] > reach:
                continue
            if atoms.get_angle(own, hydrogen, other, mic=bool(atoms.pbc.any())) > angle:
                bonds.add((oxygens.index(own), oxygens.index(other)))
    return bonds


def isomer(atoms: Atoms) -> str | None:
    """The name of a hexamer's isomer by its hydrogen-bond graph, or None."""
    edges = {frozenset(bond) for bond in hydrogen_bonds(atoms)}
    for name, graph in ISOMERS.items():
        if len(edges) == len(graph) and any(
            {frozenset((order[a], order[b])) for a, b in graph} == edges
            for order in itertools.permutations(range(6))
        ):
            return name
    return None


def search(names: list[str], tries: int, seed: int) -> dict[str, Atoms]:
    """The lowest minimum of each isomer asked for; BornflowError if one was not met."""
    best: dict[str, Atoms] = {}
    for attempt in track(range(tries), "hexamers", tries, "packings"):
        atoms = pack_water(6, np.random.default_rng([seed, attempt]))
        atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
        FIRE(atoms, logfile=None).run(fmax=0.02, steps=1500)
        found, energy = isomer(atoms), atoms.get_potential_energy()
        if found in names and (found not in best or energy < best[found].info["xtb_energy"] - 1e-4):
            relaxed = Atoms(atoms.symbols, atoms.positions - atoms.get_center_of_mass())
            relaxed.info = {
                "structure": found,
                "source": "random search, GFN2-xTB",
                "n_molecules": 6,
                "xtb_energy": energy,
            }
            best[found] = relaxed
            print(f"{found}: {energy:.4f} eV in packing {attempt}", file=sys.stderr, flush=True)
    missing = [name for name in names if name not in best]
    if missing:
        raise BornflowError(f"{', '.join(missing)} not met in {tries} packings; raise --tries")
    return best


@command
def main() -> None:
    """Write one start structure for each isomer asked for."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--names", nargs="+", choices=sorted(ISOMERS), default=sorted(ISOMERS))
    parser.add_argument("--tries", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out-dir", required=True)
    args = parser.parse_args()
    for name, atoms in search(args.names, args.tries, args.seed).items():
        frames.write(Path(args.out_dir) / f"{name}.extxyz", [atoms])


if __name__ == "__main__":
    main()
