"""The table of labelled quantities that every stage reads, and frames that carry them.

A frame is an `ase.Atoms`. Its labels live in `atoms.info` (per structure) and `atoms.arrays` (per atom) under
the keys below, except energy and forces, which are kept in a `SinglePointCalculator` and written under the
same keys. Any label may be missing. `info` also holds `structure` (a unique name), `source`, `kind` (cluster
or bulk), `n_molecules`, `group` (what relatives share: a trajectory, a parent), `charge` [e], `multiplicity`
and `label_hash`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator


@dataclass(frozen=True)
class Quantity:
    """One labelled quantity: its extxyz key, per-atom shape (None: one number a structure), meaning."""

    key: str
    shape: tuple[int, ...] | None
    description: str


ENERGY = Quantity("energy", None, "total energy [eV]")
FORCES = Quantity("forces", (3,), "forces, the negative gradient of the energy [eV/Å]")
BEC = Quantity("bec", (3, 3), "Born effective charges [e], row-major [field, force]")
IDENTITY = ("structure", "source", "group", "kind", "n_molecules", "charge", "multiplicity")
LABELS = {quantity.key: quantity for quantity in (ENERGY, FORCES, BEC)}
MAPPED = "mapped_keys"  # in `info`: which keys of another program the labels were taken from
# Names, which are text also where they look like a number.
TEXTS = frozenset(
    {"structure", "source", "group", "kind", "config_type", MAPPED}
    | {"label_hash", "label_program", "label_settings", "field_operator", "scf_steps", "scf_retried"}
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
    """A copy with its identity but no labels, and nothing of how it was labelled."""
    new = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if atoms.has("masses"):
        new.set_masses(atoms.get_masses())
    new.info = {key: atoms.info[key] for key in IDENTITY if key in atoms.info}
    return new
