"""Structures and small models for several tests."""

import os
import shutil
import subprocess
import sys
from functools import cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from ase.build import molecule

from bornflow.config.load import complete
from bornflow.models.graph import edge_vectors
from bornflow.models.model import Model
from bornflow.structures.packing import pack_water

ROOT = Path(__file__).parents[1]
# Published structures, which are not part of this repository: a folder with hexamers/ and water27/.
PUBLISHED = Path(os.environ.get("BORNFLOW_PUBLISHED_STRUCTURES", ""))


COPIED = ("Snakefile", "config", "profiles", "envs", "resources", "workflow")


def copy_repository(folder: Path) -> Path:
    """A copy of what a run needs, in `folder`."""
    folder.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """A finished call of Snakemake in `folder`, with two cores."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def search_path() -> str:
    """PYTHONPATH for programs that import this module."""
    return os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])


def variant(**changes) -> dict:
    """A small variant with the schema's defaults."""
    small = {"radial": 8, "max_degree": 3, "features": 16, "channels": 4, "tensor_channels": 4}
    return complete({"models": {"m": small | changes}})["models"]["m"]


def jiggle(atoms: Atoms, seed: int, width: float = 0.05) -> Atoms:
    """A copy with normally distributed displacements of `width` [Å]."""
    moved = atoms.copy()
    moved.positions += np.random.default_rng(seed).normal(scale=width, size=moved.positions.shape)
    return moved


@cache
def _packing(n: int, density: float | None, seed: int) -> Atoms:
    return pack_water(n, np.random.default_rng(seed), density)


def water(n: int, density: float | None = None, seed: int = 0) -> Atoms:
    """A random, distorted water structure."""
    atoms = jiggle(_packing(n, density, seed), seed)
    atoms.info = {"structure": f"water-{n}-{seed}", "n_molecules": n}
    return atoms


DIRECTIONS = {
    3: ((2, 0, 0), (-1, 1.7, 0), (-1, -1.7, 0)),
    4: ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)),
}
IONS = {"Na": (1, 4, 2.35), "Cl": (-1, 3, 3.2), "Mg": (2, 4, 2.0)}  # charge, waters, distance of oxygen [Å]


def ion(symbol: str) -> Atoms:
    """An ion of IONS between waters, hydrogen atoms towards an anion and away from a cation."""
    charge, waters, distance = IONS[symbol]
    atoms = Atoms(symbol, [[0.0, 0.0, 0.0]])
    for direction in DIRECTIONS[waters]:
        outwards = np.array(direction) / np.linalg.norm(direction)
        water = molecule("H2O")
        water.positions -= water.positions[0]
        water.rotate(water.positions[1:].sum(axis=0), np.sign(charge) * outwards)
        water.positions += distance * outwards
        atoms += water
    atoms.info = {"structure": f"{symbol}-{waters}", "charge": charge}
    return atoms


def hydronium() -> Atoms:
    """H₃O⁺ with three waters, each of which accepts one of its hydrogen bonds."""
    atoms = Atoms("O", [[0.0, 0.0, 0.0]])
    for direction in DIRECTIONS[3]:
        outwards = np.array(direction) / np.linalg.norm(direction)
        water = molecule("H2O")
        water.positions -= water.positions[0]
        water.rotate(water.positions[1:].sum(axis=0), outwards)
        water.positions += 2.55 * outwards
        atoms += Atoms("H", [1.02 * outwards]) + water
    atoms.info = {"structure": "hydronium-3", "charge": 1}
    return atoms


STRUCTURES = {
    "one atom": Atoms("O", [[0.0, 0.0, 0.0]]),
    "two far atoms": Atoms("OH", [[0.0, 0.0, 0.0], [0.0, 0.0, 9.0]]),
    "isolated": water(3),
    "small cell": water(8, 0.9),  # 6.4 Å wide, which is less than twice the cutoff
    "large cell": water(4, 0.1),  # 10.6 Å
    "triclinic": None,
}
# With seed 1 a pair is so near the cutoff that finite differences see where the Ewald sum ends.
_sheared = water(8, 0.9, seed=2)
_sheared.set_cell(
    _sheared.cell.array @ (np.eye(3) + [[0, 0, 0], [0.2, 0, 0], [0.1, 0.15, 0]]), scale_atoms=False
)
STRUCTURES["triclinic"] = _sheared


def cell_of(atoms: Atoms):
    """The cell [Å], None for an isolated structure."""
    return atoms.cell.array if atoms.pbc.any() else None


def features_of(model: Model, parameters, graph):
    """Features of each atom, the inputs of the energy and of all charges."""
    apply = partial(model.network.apply, parameters)
    return apply(apply(edge_vectors(graph), graph, method="expand"), graph, method="describe")


def graph_of(model: Model, atoms: Atoms, shape=None):
    """The graph of a structure in double precision."""
    charge = atoms.info.get("charge", 0)
    return model.graph(atoms.numbers, atoms.positions, cell_of(atoms), shape, np.float64, charge)


def noisy_parameters(model: Model):
    """Random parameters whose readouts are not small, so that every term counts."""
    initial = model.initialise(graph_of(model, water(2)), 0)
    leaves, tree = jax.tree.flatten(initial)
    rng = np.random.default_rng(0)
    noisy = [jnp.asarray(leaf + 0.05 * rng.normal(size=leaf.shape), float) for leaf in leaves]
    return jax.tree.unflatten(tree, noisy)
