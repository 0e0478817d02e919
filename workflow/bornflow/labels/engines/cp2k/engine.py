"""CP2K as an engine: density-functional labels from eight runs for each structure.

`input_file` writes the inputs, and `run` carries out each calculation until its result is accepted. `relax`
and `linear_response` are other kinds of calculation. `cache` stores the results of all.
"""

import functools
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Float

from ....electrons import total_charge
from ....errors import BornflowError
from ....io.files import locked
from ....units import FORCE_AU, HARTREE
from ... import limits
from ...finite_field import FIELDS, Direction, FiniteField, central_difference
from ...moments import moments
from ...settings import CP2KSettings, LabelSettings
from ..base import Engine, Label, text_hash
from . import input_file, linear_response, relax
from .cache import Cache
from .output_file import Output
from .program import Program
from .run import Runs


@dataclass(frozen=True)
class Outputs:
    """The runs that make one label; `fine` is None where the field-free run gives energy and forces."""

    free: Output
    in_fields: dict[Direction, Output]
    fine: Output | None

    @property
    def runs(self) -> list[Output]:
        """All runs, in the order of their execution."""
        return [self.free, *self.in_fields.values(), *([self.fine] if self.fine else [])]

    @property
    def labelled(self) -> Output:
        """The run that gives energy and forces."""
        return self.fine or self.free


class CP2K(Engine):
    """Density-functional labels.

    With `keep_wave_functions` wave functions stay in the work folder, so that labels of one structure with
    different settings share its field-free run.
    """

    def __init__(self, settings: LabelSettings, threads: int = 1, keep_wave_functions: bool = False):
        super().__init__(settings, threads)
        self.keep_wave_functions = keep_wave_functions
        self.cache = Cache(settings.cache)

    @property
    def cp2k(self) -> CP2KSettings:
        """The section `labels.cp2k`."""
        return self.settings.cp2k

    @property
    def program(self) -> Program:
        """The installed program; raises BornflowError if it is missing."""
        return _program(self.cp2k.command, self.threads, self.cp2k.hours)

    def varied(self, **changes: Any) -> "CP2K":
        """This engine with some settings of `labels.cp2k` changed; BornflowError for unknown ones."""
        try:
            changed = replace(self.cp2k, **changes)
        except TypeError:
            unknown = sorted(set(changes) - set(vars(self.cp2k)))
            raise BornflowError(
                f"{', '.join(unknown)} found, which labels.cp2k does not have; its settings are "
                f"{', '.join(vars(self.cp2k))}"
            ) from None
        return CP2K(replace(self.settings, cp2k=changed), self.threads, self.keep_wave_functions)

    def field_operator(self, atoms: Atoms) -> str:
        """How the field acts on this structure: `position` (E·r) or `berry` (the Berry phase)."""
        return input_file.operator(atoms, self.cp2k)

    def cell_edge(self, atoms: Atoms) -> float:
        """Edge [Å] of the cubic cell of the calculation; for periodic `atoms`, of a cube of equal volume."""
        if atoms.pbc.any():
            return atoms.cell.volume ** (1 / 3)
        return input_file.cell_edge(atoms, self.cp2k)

    def identify(self, atoms: Atoms) -> str:
        """Hash of the inputs of each kind of run, the data files they read and CP2K's version."""
        inputs = input_file.build_input(atoms, self.cp2k)
        inputs += input_file.build_input(atoms, self.cp2k, (0, 1))
        if self.cp2k.has_fine_run:
            inputs += input_file.build_input(atoms, self.cp2k, fine=True)
        return text_hash(self.program.key(inputs))

    def label(self, atoms: Atoms, workdir: Path) -> Label:
        """Label from a field-free run, six runs in a field that start from it, and one on a finer grid.

        Grid errors of the forces cancel in Born effective charges; energy and forces come from the last run,
        which is made only if `force_cutoff` is above `cutoff`.
        """
        limits.reject_overlaps(atoms)  # before the expensive calculation
        outputs = self._calculate(atoms, workdir)
        response = central_difference(
            {direction: output.forces for direction, output in outputs.in_fields.items()},
            outputs.free.forces,
            self.cp2k.field,
            total_charge(atoms),
        )
        return Label(
            energy=outputs.labelled.energy * HARTREE,
            forces=outputs.labelled.forces * FORCE_AU,
            response=response,
            residuals=_residuals(outputs, response),
            hash=self.identify(atoms),
            moments=moments(
                atoms,
                outputs.free.dipole,
                {direction: output.dipole for direction, output in outputs.in_fields.items()},
                self.cp2k.field,
            ),
            seconds={
                "field-free": outputs.free.wall,
                "fields": sum(output.wall for output in outputs.in_fields.values()),
                "fine": outputs.fine.wall if outputs.fine else 0,
            },
            provenance=self._provenance(atoms, outputs),
        )

    def relax(self, atoms: Atoms, workdir: Path) -> Float[np.ndarray, "atoms 3"]:
        """Positions [Å] of the density-functional minimum that CP2K's own optimiser finds."""
        return relax.relax(self.program, self.cache, workdir, atoms, self.cp2k)

    def linear_response(self, atoms: Atoms, workdir: Path) -> Float[np.ndarray, "atoms 3 3"]:
        """Born effective charges [e] by linear response, without any field; isolated structures only."""
        return linear_response.respond(self.program, self.cache, workdir, atoms, self.cp2k)

    def _calculate(self, atoms: Atoms, workdir: Path) -> Outputs:
        key = self.program.key(input_file.build_input(atoms, self.cp2k))
        directory = Path(workdir) / key[:16]
        with locked(directory):
            runs = Runs(self.program, self.cache, directory, atoms, self.cp2k)
            outputs = Outputs(
                free=runs.calculate(),
                in_fields={direction: runs.calculate(field=direction) for direction in FIELDS},
                fine=runs.calculate(fine=True) if self.cp2k.has_fine_run else None,
            )
            if not self.keep_wave_functions:
                shutil.rmtree(directory, ignore_errors=True)
        return outputs

    def _provenance(self, atoms: Atoms, outputs: Outputs) -> dict[str, str]:
        cp2k = self.cp2k
        retried = [str(number) for number, output in enumerate(outputs.runs) if output.safe]
        return {
            "label_program": f"cp2k-{outputs.free.version}",
            "label_settings": (
                f"revPBE-D3 {cp2k.basis} {cp2k.method} {cp2k.cutoff:g}/{cp2k.rel_cutoff:g}Ry"
                + (f" forces={cp2k.force_cutoff:g}Ry" if outputs.fine else "")
                + f" eps_default={cp2k.eps_default:g}"
                + ("" if atoms.pbc.any() else f" vacuum={cp2k.vacuum:g}A")
                + f" {_solver(cp2k, restart=False)} field={cp2k.field:g}au"
                f" {_solver(cp2k, restart=True)}"
            ),
            "field_operator": self.field_operator(atoms),
            "scf_steps": " ".join(str(output.scf_steps) for output in outputs.runs),
            # Indices (as in scf_steps) of runs that converged only with the safer solver.
            **({"scf_retried": " ".join(retried)} if retried else {}),
        }


def _residuals(outputs: Outputs, response: FiniteField) -> dict[str, float]:
    if not outputs.fine:
        return response.residuals
    difference = np.abs(outputs.fine.forces - outputs.free.forces).max() * FORCE_AU
    return response.residuals | {"grid_difference": float(difference)}


def _solver(settings: CP2KSettings, restart: bool) -> str:
    if settings.uses_ot(restart):
        return f"OT eps_scf={settings.eps_scf_ot:g}"
    return f"diagonalization eps_scf={settings.eps_scf:g}"


@functools.cache
def _program(command: str, threads: int, hours: float) -> Program:
    return Program(command, threads, hours)
