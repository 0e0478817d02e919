"""The table of labelled quantities that every stage reads, and frames with these labels.

A frame is an `ase.Atoms`. Its labels are stored in `atoms.info` (per structure) and `atoms.arrays` (per atom)
under the keys below. Energy and forces are an exception: they are kept in a `SinglePointCalculator` and
written to files under the same keys. Any label may be missing. `info` also contains `structure` (a unique
name), `source`, `kind` (cluster or bulk), `n_molecules`, `group` (the trajectory or parent that related
structures share), `split` (train or validation), `charge` [e], `multiplicity` and `label_hash`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from jaxtyping import Float, Real


@dataclass(frozen=True)
class Quantity:
    """One labelled quantity: its extxyz key, shape per atom (None: one number per structure), meaning."""

    key: str
    shape: tuple[int, ...] | None
    description: str


ENERGY = Quantity("energy", None, "total energy [eV]")
FORCES = Quantity("forces", (3,), "forces, the negative gradient of the energy [eV/Å]")
BEC = Quantity("bec", (3, 3), "Born effective charges [e], row-major [field, force]")
LABELS = {quantity.key: quantity for quantity in (ENERGY, FORCES, BEC)}

IDENTITY_KEYS = ("structure", "source", "group", "split", "kind", "n_molecules", "charge", "multiplicity")
MAPPED_KEYS = "mapped_keys"  # in `info`: the keys of another program that the labels were taken from
# Keys of `info` whose values are text, even if they look like a number.
TEXT_KEYS = frozenset(
    {"structure", "source", "group", "split", "kind", "config_type", MAPPED_KEYS}
    | {"label_hash", "label_program", "label_settings", "field_operator", "scf_steps", "scf_retried"}
)


def label(atoms: Atoms, key: str) -> float | Float[np.ndarray, "atoms ..."] | None:
    """The label `key` of a frame, or None: a number (energy), [atoms, 3] (forces), [atoms, 3, 3] (bec)."""
    quantity = LABELS[key]
    value = atoms.calc.results.get(key) if atoms.calc is not None else None
    if value is None:
        value = atoms.info.get(key) if quantity.shape is None else atoms.arrays.get(key)
    if value is None:
        return None
    if quantity.shape is None:
        return float(value)
    return np.asarray(value, dtype=float).reshape(len(atoms), *quantity.shape)


def with_labels(atoms: Atoms, labels: Mapping[str, float | Real[np.ndarray, "..."] | None]) -> Atoms:
    """A copy of `atoms` with `labels` and no others; None means missing.

    Units are eV, eV/Å and e. Forces are [atoms, 3], Born effective charges [atoms, 3, 3] or [atoms, 9].
    """
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


def without_labels(atoms: Atoms) -> Atoms:
    """A copy with elements, positions, cell, masses and identity, without labels and their provenance."""
    new = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if atoms.has("masses"):
        new.set_masses(atoms.get_masses())
    new.info = {key: atoms.info[key] for key in IDENTITY_KEYS if key in atoms.info}
    return new
