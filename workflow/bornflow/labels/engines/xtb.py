"""GFN2-xTB labels by tblite (Bannwarth et al., JCTC 2019), in fractions of a second.

tblite's `electric-field` interaction needs a C array of three doubles, which tblite's Python layer does
not convert; it is passed directly here. Its field is meaningless under periodic boundary conditions.
"""

import contextlib
import functools
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from jaxtyping import Float
from tblite.interface import Calculator
from tblite.library import ffi

from ... import tight_binding
from ...electrons import multiplicity, reject_impossible, total_charge
from ...errors import Rejected
from ...io.frames import name
from ...units import BOHR, FORCE_AU, HARTREE
from .. import limits
from ..finite_field import FIELDS, Direction, central_difference
from ..moments import moments
from ..settings import XTBSettings
from .base import Engine, Label, relaxed_positions, text_hash

# At tblite's default accuracy, gradients are too noisy for finite differences in the field.
METHOD, ACCURACY = "GFN2-xTB", 0.01


class SinglePoint(NamedTuple):
    """The results of one calculation, in atomic units."""

    energy: float
    forces: Float[np.ndarray, "atoms 3"]
    dipole: Float[np.ndarray, "3"]


class XTB(Engine):
    """Tight-binding labels of isolated structures."""

    def identify(self, atoms: Atoms) -> str:
        """Hash of the structure, the field and tblite's version."""
        reject_unsuited(atoms)
        return text_hash(key(atoms, self.settings.xtb))

    def label(self, atoms: Atoms, workdir: Path) -> Label:
        """Label from a field-free calculation and six in a field."""
        field = self.settings.xtb.field
        free, in_fields, program = calculate(atoms, field)
        response = central_difference(
            {direction: result.forces for direction, result in in_fields.items()},
            free.forces,
            field,
            total_charge(atoms),
        )
        dipoles = {direction: result.dipole for direction, result in in_fields.items()}
        return Label(
            energy=free.energy * HARTREE,
            forces=free.forces * FORCE_AU,
            response=response,
            residuals=response.residuals,
            hash=self.identify(atoms),
            moments=moments(atoms, free.dipole, dipoles, field),
            provenance={
                "label_program": program,
                "label_settings": f"GFN2-xTB field={field:g}au",
                "field_operator": "position",
            },
        )

    def relax(self, atoms: Atoms, workdir: Path) -> Float[np.ndarray, "atoms 3"]:
        """Positions [Å] of the nearest minimum, forces below 0.01 eV/Å."""
        reject_unsuited(atoms)
        with _rejections(atoms):
            return relaxed_positions(atoms, tight_binding.calculator(METHOD, atoms), METHOD)


@functools.cache
def version() -> str:
    """tblite's version as printed by the library."""
    from tblite.library import get_version

    return "tblite-" + ".".join(map(str, get_version()))


def key(atoms: Atoms, settings: XTBSettings) -> str:
    """A short hash of the exact calculation."""
    structure: list[Any] = [atoms.get_chemical_symbols(), atoms.positions.tolist()]
    if total_charge(atoms) or multiplicity(atoms) > 1:
        structure.append([total_charge(atoms), multiplicity(atoms)])
    identity = [*structure, asdict(settings), METHOD, ACCURACY, version()]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def calculate(atoms: Atoms, field: float) -> tuple[SinglePoint, dict[Direction, SinglePoint], str]:
    """The results without a field, those in six fields by (axis, sign), and the program's version.

    `field` is in atomic units. Raises Rejected for unsuited structures (`reject_unsuited`), for overlapping
    atoms or an energy far from that of free atoms (`limits`), and if tblite fails.
    """
    reject_unsuited(atoms)
    free = _single_point(atoms, np.zeros(3))
    limits.reject_overlaps(atoms)
    limits.reject_energy(atoms, free.energy * HARTREE, _free_atom)
    in_fields = {}
    for axis, sign in FIELDS:
        vector = np.zeros(3)
        vector[axis] = sign * field
        in_fields[axis, sign] = _single_point(atoms, vector)
    return free, in_fields, version()


def reject_unsuited(atoms: Atoms) -> None:
    """Raise Rejected for periodic structures, and where charge and multiplicity do not fit the electrons."""
    if atoms.pbc.any():
        raise Rejected(
            f"structure {name(atoms)} is periodic: xtb labels isolated structures "
            "only (its electric field has no meaning under periodic boundary conditions); use engine cp2k"
        )
    reject_impossible(atoms)


@functools.cache
def _free_atom(symbol: str) -> float:
    """The energy [eV] of a free atom of the element, with the largest possible number of paired electrons."""
    atom = Atoms(symbol)
    atom.info["multiplicity"] = 1 + int(atom.numbers[0]) % 2
    return _single_point(atom, np.zeros(3)).energy * HARTREE


@contextlib.contextmanager
def _rejections(atoms: Atoms) -> Iterator[None]:
    try:
        yield
    except Rejected:
        raise
    except Exception as error:  # tblite raises its own error types
        raise Rejected(f"GFN2-xTB failed for {name(atoms)}: {error}") from error


def _single_point(atoms: Atoms, field: Float[np.ndarray, "3"]) -> SinglePoint:
    with _rejections(atoms):
        calculator = Calculator(
            METHOD,
            atoms.numbers,
            atoms.positions / BOHR,
            charge=float(total_charge(atoms)),
            uhf=multiplicity(atoms) - 1,
        )
        calculator.set("verbosity", 0)
        calculator.set("accuracy", ACCURACY)
        if field.any():
            calculator.add("electric-field", ffi.new("double[3]", list(field)))
        try:
            result = calculator.singlepoint()
        except RuntimeError:  # not converged: once more, as in `tight_binding`
            calculator.set("mixer-damping", tight_binding.SAFE["mixer_damping"])
            calculator.set("max-iter", tight_binding.SAFE["max_iterations"])
            result = calculator.singlepoint()
    return SinglePoint(
        energy=float(result.get("energy")),
        forces=-np.array(result.get("gradient")),
        dipole=np.array(result.get("dipole")),
    )
