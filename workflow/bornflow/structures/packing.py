"""Random packing of rigid molecules by Packmol, isolated or in a periodic cube.

Martínez, Andrade, Birgin and Martínez, J. Comput. Chem. 30, 2157 (2009).
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from ase import Atoms
from ase.build import molecule
from ase.geometry import get_distances

from ..errors import BornflowError

CLOSEST = 2.0  # Å, between atoms of different molecules; a strong hydrogen bond has H···O of 1.6 Å
ROUNDING = 0.01  # Packmol accepts distances that are shorter by this fraction
CLUSTER_DENSITY = 0.8  # g/cm³ in the sphere that a cluster is packed into
GRAMS_PER_CM3 = 1.66053906660  # 1 g/mol per Å³ in g/cm³
SECONDS = 600.0


def box_edge(mass: float, density: float) -> float:
    """Edge [Å] of a cube of `mass` [g/mol] at `density` [g/cm³]."""
    return (mass * GRAMS_PER_CM3 / density) ** (1 / 3)


def pack(parts: Sequence[tuple[Atoms, int]], seed: int, density: float | None = None) -> Atoms:
    """Molecules, each with its number of copies, at random positions and orientations.

    With a `density` [g/cm³] they fill a periodic cube. Without one they fill a sphere with ample volume for a
    cluster. The same `seed` gives the same packing. Atoms of a molecule follow each other, and molecules are
    in the order of `parts`. Raises BornflowError if there is no room for all.
    """
    mass = sum(copies * atoms.get_masses().sum() for atoms, copies in parts)
    edge = box_edge(mass, CLUSTER_DENSITY if density is None else density)
    radius = edge * (3 / (4 * np.pi)) ** (1 / 3) + max(_radius(atoms) for atoms, _ in parts)
    region = f"inside box 0 0 0 {3 * f'{edge:.6f} '}" if density else f"inside sphere 0 0 0 {radius:.6f}"
    with TemporaryDirectory() as name:
        folder = Path(name)
        lines = [f"tolerance {CLOSEST}", f"seed {seed % 2**31}", "filetype xyz", "output packed.xyz"]
        lines += [f"pbc {3 * f'{edge:.6f} '}"] if density else []
        for index, (atoms, copies) in enumerate(parts):
            _write(folder / f"{index}.xyz", atoms)
            lines += [f"structure {index}.xyz", f"number {copies}", region, "end structure"]
        (folder / "packmol.inp").write_text("\n".join(lines) + "\n", encoding="utf-8")
        positions = _run(folder)
    symbols = [symbol for atoms, copies in parts for symbol in copies * atoms.get_chemical_symbols()]
    packed = Atoms(symbols, cell=[edge] * 3 if density else None, pbc=bool(density))
    if any(atoms.has("masses") for atoms, _ in parts):
        packed.set_masses(np.concatenate([np.tile(atoms.get_masses(), copies) for atoms, copies in parts]))
    if positions is None or len(positions) != len(packed):
        raise BornflowError(_does_not_fit(parts, density))
    packed.positions = positions
    if _closest_contact(packed, parts) < CLOSEST * (1 - 2 * ROUNDING):
        raise BornflowError(_does_not_fit(parts, density))
    return packed


def pack_water(n_molecules: int, rng: np.random.Generator, density: float | None = None) -> Atoms:
    """`n_molecules` waters, packed as by `pack` with a seed from `rng`."""
    return pack([(molecule("H2O"), n_molecules)], int(rng.integers(1, 2**31)), density)


def _radius(atoms: Atoms) -> float:
    """The largest distance of an atom from the middle of a molecule [Å]."""
    return float(np.linalg.norm(atoms.positions - atoms.positions.mean(axis=0), axis=1).max())


def _write(path: Path, atoms: Atoms) -> None:
    rows = [
        f"{symbol} {x:.8f} {y:.8f} {z:.8f}"
        for symbol, (x, y, z) in zip(atoms.symbols, atoms.positions, strict=True)
    ]
    path.write_text("\n".join([str(len(atoms)), "", *rows]) + "\n", encoding="utf-8")


def _run(folder: Path) -> np.ndarray | None:
    """The packed positions [Å]; None if Packmol did not succeed."""
    beside = Path(sys.executable).with_name("packmol")
    program = str(beside) if beside.exists() else shutil.which("packmol")
    if program is None:
        raise BornflowError("packmol is not installed; `make env` or `pip install packmol` installs it")
    with (folder / "packmol.inp").open() as file:  # it reads its input twice, so a pipe does not do
        try:
            run = subprocess.run(
                [program], stdin=file, cwd=folder, capture_output=True, encoding="utf-8", timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            return None
    if run.returncode or "Success!" not in run.stdout:
        return None
    rows = (folder / "packed.xyz").read_text(encoding="utf-8").splitlines()[2:]
    return np.array([row.split()[1:4] for row in rows], dtype=float)


def _closest_contact(packed: Atoms, parts: Sequence[tuple[Atoms, int]]) -> float:
    """The shortest distance between atoms of different molecules [Å]."""
    sizes = [len(atoms) for atoms, copies in parts for _ in range(copies)]
    owner = np.repeat(np.arange(len(sizes)), sizes)
    cell, pbc = (packed.cell, packed.pbc) if packed.pbc.any() else (None, None)
    _, distances = get_distances(packed.positions, cell=cell, pbc=pbc)
    return float(np.min(distances[owner[:, None] != owner], initial=np.inf))


def _does_not_fit(parts: Sequence[tuple[Atoms, int]], density: float | None) -> str:
    described = ", ".join(
        f"{copies} {atoms.info.get('structure', atoms.get_chemical_formula())}" for atoms, copies in parts
    )
    where = f"at {density} g/cm³; lower the density" if density else "in a sphere; check the molecules"
    return f"Packmol finds no room for {described} {where}"
