"""The table of labelled quantities that every stage reads, and extxyz files of them.

A frame is an `ase.Atoms`. Its labels live in `atoms.info` (per structure) and `atoms.arrays`
(per atom) under the keys below, except energy and forces, which ASE keeps in a
`SinglePointCalculator` and writes under the same keys. Any label may be missing. Beside them `info`
holds `structure` (a unique name), `source`, `kind` (cluster or bulk), `n_molecules` and `label_hash`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from ..errors import BornflowError
from .files import atomic_write


@dataclass(frozen=True)
class Quantity:
    """One labelled quantity: its extxyz key, per-atom shape (None: one number a structure), meaning."""

    key: str
    shape: tuple[int, ...] | None
    description: str


ENERGY = Quantity("energy", None, "total energy [eV]")
FORCES = Quantity("forces", (3,), "forces, the negative gradient of the energy [eV/Å]")
BEC = Quantity("bec", (3, 3), "Born effective charges [e], row-major [field, force]")
IDENTITY = ("structure", "source", "kind", "n_molecules")  # what `info` says of a structure itself
LABELS = {quantity.key: quantity for quantity in (ENERGY, FORCES, BEC)}


def name(atoms: Atoms) -> str:
    """What a structure is called in messages."""
    return str(atoms.info.get("structure", atoms.get_chemical_formula()))


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


def label(atoms: Atoms, key: str) -> np.ndarray | float | None:
    """The label `key` of a frame in the shape of the table, or None where it is missing."""
    quantity = LABELS[key]
    found = atoms.calc.results.get(key) if atoms.calc is not None else None
    if found is None:
        found = atoms.info.get(key) if quantity.shape is None else atoms.arrays.get(key)
    if found is None:
        return None
    if quantity.shape is None:
        return float(found)
    return np.asarray(found, dtype=float).reshape(len(atoms), *quantity.shape)


def attach(atoms: Atoms, labels: Mapping[str, np.ndarray | float | None]) -> Atoms:
    """A copy of `atoms` that carries `labels` (and no others); None means missing."""
    new = atoms.copy()
    new.calc = None
    for key in LABELS:
        new.info.pop(key, None)
        new.arrays.pop(key, None)
    present = {key: value for key, value in labels.items() if value is not None}
    bec = present.pop(BEC.key, None)
    if bec is not None:
        new.arrays[BEC.key] = np.asarray(bec, dtype=float).reshape(len(atoms), 9)
    if present:
        new.calc = SinglePointCalculator(new, **present)
    return new


def bare(atoms: Atoms) -> Atoms:
    """A copy with its identity and isotopes but no labels, and nothing of how it was labelled."""
    new = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if atoms.has("masses"):
        new.set_masses(atoms.get_masses())
    new.info = {key: atoms.info[key] for key in IDENTITY if key in atoms.info}
    return new


def unique(frames: Sequence[Atoms]) -> Sequence[Atoms]:
    """The frames themselves; BornflowError if two have one name."""
    seen: set[str] = set()
    for atoms in frames:
        name = atoms.info["structure"]
        if name in seen:
            raise BornflowError(f"two structures are called {name}; give each a name of its own")
        seen.add(name)
    return frames


def read(
    path: str | Path,
    keys: Mapping[str, str] | None = None,
    sources: set[str] | None = None,
    called: str | None = None,
) -> list[Atoms]:
    """Read every frame of an extxyz file, its labels brought under bornflow's keys.

    `keys` maps bornflow's key to the file's, e.g. {"energy": "energy_rPBE", "bec": "apt"}; where a file has
    such a key at all, nothing else is taken in its place.
    The keys of the file that labels were taken from are added to `sources`. Frames without a name are
    `called` that, or like the file, and numbered.
    Raises BornflowError for an unreadable file, wrong shapes and values that are not finite.
    """
    path = Path(path)
    if not path.exists():
        raise BornflowError(f"{path}: no such file")
    try:
        raw = ase.io.read(path, index=":", format="extxyz")
    except Exception as error:  # ASE raises whatever its parser stumbles over
        raise BornflowError(f"{path} cannot be read as extxyz: {error}") from error
    if not raw:
        raise BornflowError(f"{path} holds no structures")
    # A file that an earlier stage wrote, or that keys are not meant for, has bornflow's keys.
    taken = {
        key: source if any(_value(atoms, source, LABELS[key]) is not None for atoms in raw) else key
        for key, source in (keys or {}).items()
    }
    for index, atoms in enumerate(raw):
        atoms.info["structure"] = str(atoms.info.get("structure", f"{called or path.stem}-{index}"))
    return [_normalise(atoms, index, path, taken, sources) for index, atoms in enumerate(raw)]


def _value(atoms: Atoms, source: str, quantity: Quantity):
    """What a frame as ASE reads it holds under `source`; None if nothing."""
    results = atoms.calc.results if atoms.calc is not None else {}
    return results.get(source, (atoms.info if quantity.shape is None else atoms.arrays).get(source))


def read_all(
    paths: Iterable[str | Path],
    keys: Mapping[str, str] | None = None,
    sources: set[str] | None = None,
    allow_empty: bool = False,
) -> list[Atoms]:
    """The frames of several files; what is unnamed in files of one name is called after their folders too.

    With `allow_empty` empty files, which a job that refused all has written, are passed over.
    """
    paths = [Path(path) for path in paths]
    stems = Counter(path.stem for path in paths)
    found = []
    for path in paths:
        if allow_empty and path.exists() and not path.stat().st_size:
            continue
        called = path.stem if stems[path.stem] == 1 else f"{path.parent.name}-{path.stem}"
        found += read(path, keys, sources, called)
    return found


def _normalise(atoms: Atoms, index: int, path: Path, keys: dict[str, str], sources: set[str] | None) -> Atoms:
    name = f"{path}, frame {index} ({atoms.info['structure']})"
    if not np.isfinite(atoms.positions).all():
        raise BornflowError(f"{name}: positions are not finite; remove or repair the frame")
    found = {}
    for key, quantity in LABELS.items():
        source = keys.get(key, key)
        value = _value(atoms, source, quantity)
        if value is None:
            continue
        if sources is not None:
            sources.add(source)
        try:
            value = np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            raise BornflowError(
                f"{name}: '{source}' is {value!r}, not a number; remove or repair it"
            ) from None
        size = 1 if quantity.shape is None else len(atoms) * int(np.prod(quantity.shape))
        if value.size != size:
            raise BornflowError(
                f"{name}: '{source}' holds {value.size} numbers, {size} expected "
                f"({quantity.description}); check the key and the file's columns"
            )
        if not np.isfinite(value).all():
            raise BornflowError(f"{name}: '{source}' is not finite; remove or repair the frame")
        found[key] = float(value.reshape(())) if quantity.shape is None else value
        if source != key:
            atoms.info.pop(source, None)
            atoms.arrays.pop(source, None)
    if FORCES.key in found:
        found[FORCES.key] = found[FORCES.key].reshape(len(atoms), 3)
    new = attach(atoms, found)
    new.info["kind"] = kind(new, name)
    return new


def write(path: str | Path, frames: Sequence[Atoms]) -> None:
    """Write frames as extxyz, whole or not at all."""
    with atomic_write(path) as scratch:
        if frames:  # no frame is an empty file
            ase.io.write(scratch, list(frames), format="extxyz")
