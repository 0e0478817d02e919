"""Isomers of the water hexamer (book, cage, prism), built from their hydrogen bonds.

    python -m bornflow.structures.hexamers --isomers book cage prism --seed 0 --out isomers.extxyz

This program made the structures that were relaxed by CP2K and are shipped in resources/structures; the
workflow does not call it. The oxygen atoms are placed according to the graph of the hydrogen bonds, the
hydrogen atoms in orientations that the graph allows. They are relaxed with GFN1-xTB, and the lowest minimum
with that graph is kept.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.optimize import FIRE
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.sparse.csgraph import shortest_path
from tblite.ase import TBLite

from .. import cli
from ..connectivity import hydrogen_bonds
from ..errors import BornflowError
from ..io import frames
from ..progress import track

OH_LENGTH = 0.97  # Å
METHOD = "GFN1-xTB"  # GFN2-xTB partly folds the book towards a prism
FREE = 0.2  # cosine of the smallest angle of a free O–H to the other bonds of its oxygen
# Hydrogen-bond graphs of the hexamers (Pérez et al., Science 336, 897 (2012)).
ISOMERS = {
    # two rings of four that share an edge
    "book": ((0, 1), (1, 2), (2, 3), (3, 0), (2, 4), (4, 5), (5, 3)),
    # a ring of four with both pairs of opposite corners bridged by one molecule
    "cage": ((0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (4, 2), (1, 5), (5, 3)),
    # two rings of three on top of each other
    "prism": ((0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (0, 3), (1, 4), (2, 5)),
}


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


def embed(graph: Sequence[tuple[int, int]], rng: np.random.Generator) -> Float[np.ndarray, "6 3"]:
    """Positions [Å] of a graph's six oxygen atoms, from the number of bonds between them.

    Bonded pairs are 2.8 Å apart, pairs two, three and four bonds apart 3.8, 4.6 and 5.4 Å.
    """
    edges = np.zeros((6, 6))
    for first, second in graph:
        edges[first, second] = edges[second, first] = 1
    pairs = np.triu_indices(6, 1)
    hops = shortest_path(edges, unweighted=True)[pairs].astype(int)
    targets = np.array([0.0, 2.8, 3.8, 4.6, 5.4])[hops]

    def strain(coordinates: Float[np.ndarray, "18"]) -> float:
        positions = coordinates.reshape(6, 3)
        distances = np.linalg.norm(positions[pairs[0]] - positions[pairs[1]], axis=1)
        return float((((distances - targets) / hops) ** 2).sum())

    tries = [minimize(strain, rng.normal(scale=2, size=18)) for _ in range(10)]
    return min(tries, key=lambda result: result.fun).x.reshape(6, 3)


def orientations(graph: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """All directions (donor, acceptor) of a graph's bonds: a molecule donates and accepts two at most."""
    ways = itertools.product(*(((a, b), (b, a)) for a, b in graph))
    return [
        list(bonds)
        for bonds in ways
        if max(np.bincount(ends, minlength=6).max() for ends in zip(*bonds, strict=True)) <= 2
    ]


def place_hydrogens(
    oxygens: Float[np.ndarray, "6 3"], bonds: Sequence[tuple[int, int]], rng: np.random.Generator
) -> Atoms:
    """Six waters at the oxygen positions [Å], with hydrogen atoms that point at the acceptors.

    Hydrogen atoms without a bond get a random direction away from the bonds of their oxygen.
    """
    positions = []
    for molecule, oxygen in enumerate(oxygens):
        donated = [_unit(oxygens[b] - oxygen) for a, b in bonds if a == molecule]
        accepted = [_unit(oxygens[a] - oxygen) for a, b in bonds if b == molecule]
        while len(donated) < 2:
            directions = rng.normal(size=(100, 3))
            directions /= np.linalg.norm(directions, axis=1, keepdims=True)
            nearest = np.max([directions @ other for other in donated + accepted], axis=0)
            donated.append(directions[(nearest < FREE).argmax()])
        positions += [oxygen, *(oxygen + OH_LENGTH * direction for direction in donated)]
    return Atoms("OHH" * 6, np.array(positions))


def _unit(vector: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    return vector / np.linalg.norm(vector)


def _energy(relaxed: tuple[float, Atoms]) -> float:
    return relaxed[0]


def _relax(atoms: Atoms, steps: int) -> tuple[float, Atoms]:
    atoms.calc = TBLite(method=METHOD, verbosity=0)
    FIRE(atoms, logfile=None).run(fmax=0.01, steps=steps)
    return atoms.get_potential_energy(), atoms


def lowest_minimum(name: str, seed: int, tries: int = 400) -> Atoms:
    """The minimum of lowest energy whose hydrogen bonds form the graph of `name`, a key of ISOMERS.

    `tries` random orientations are relaxed for 40 steps, and the 10 % of lowest energy to convergence. Raises
    BornflowError if none keeps its bonds.
    """
    rng = np.random.default_rng(seed)
    oxygens = embed(ISOMERS[name], rng)
    ways = orientations(ISOMERS[name])
    drawn = (
        _relax(place_hydrogens(oxygens, ways[rng.integers(len(ways))], rng), 40)
        for _ in track(range(tries), name, tries, "orientations")
    )
    promising = sorted(drawn, key=_energy)[: -(-tries // 10)]
    ends = (_relax(atoms, 1500) for _, atoms in track(promising, f"{name}, minima", len(promising), "minima"))
    minima = [(energy, atoms) for energy, atoms in ends if isomer(atoms) == name]
    if not minima:
        raise BornflowError(
            f"none of {tries} orientations of {name} kept its hydrogen bonds; try another --seed"
        )
    _, atoms = min(minima, key=_energy)
    relaxed = Atoms(atoms.symbols, atoms.positions - atoms.get_center_of_mass())
    relaxed.info = {
        "structure": name,
        "source": f"isomer by its hydrogen bonds, {METHOD}",
        "kind": "cluster",
        "n_molecules": 6,
    }
    return relaxed


@cli.command
def main() -> None:
    """Write the lowest minimum of each isomer."""
    args = cli.parse(main, "seed", "out", isomers=cli.options("isomers to build", choices=sorted(ISOMERS)))
    frames.write(args.out, [lowest_minimum(name, args.seed) for name in args.isomers])


if __name__ == "__main__":
    main()
