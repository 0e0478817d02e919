"""The programs that can make labels, behind one interface.

An engine is three functions: `identify(atoms, settings) -> str`, a hash of the exact calculation,
`label(atoms, settings, workdir, threads) -> Label` and `relax(atoms, settings, workdir, threads)`, the
positions [N, 3] in Å of the nearest minimum; `settings` is the section `labels` of a configuration.
All raise Rejected with a reason where a structure cannot be calculated. `central_difference` makes Born
effective charges of forces in six fields. To add an engine, write the three in a module of its own,
name them in ENGINES, and give it a section in workflow/schemas/config.schema.yaml and its name in
`labels.engine` there.
"""

import functools
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from ase import Atoms

from ...io.files import locked
from ...units import FORCE_AU, HARTREE
from .. import limits
from ..finite_field import FIELDS, FiniteField, central_difference
from . import xtb
from .cp2k import input_file, relax
from .cp2k.cache import Cache
from .cp2k.program import Program
from .cp2k.run import calculate


@dataclass(frozen=True)
class Label:
    """Energy [eV], forces [N, 3] [eV/Å] and Born effective charges of one structure."""

    energy: float
    forces: np.ndarray
    response: FiniteField
    residuals: dict[str, float]  # what the gate looks at, keyed like `labels.gate`
    hash: str
    provenance: dict = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # that each kind of run took


@dataclass(frozen=True)
class Engine:
    """One program: see the module's text."""

    identify: Callable[[Atoms, Mapping], str]
    label: Callable[[Atoms, Mapping, Path, int], Label]
    relax: Callable[[Atoms, Mapping, Path, int], np.ndarray]


def text_hash(key: str) -> str:
    """The first 64 bits of a SHA-256, marked: digits alone, or with an e, would be read as a number."""
    return f"sha256:{key[:16]}"


def identify_cp2k(atoms: Atoms, settings: Mapping) -> str:
    """Hash of the inputs of each kind of run, the data files they read and CP2K's version."""
    options = settings["cp2k"]
    inputs = input_file.build_input(atoms, options) + input_file.build_input(atoms, options, (0, 1))
    if input_file.has_fine_run(options):
        inputs += input_file.build_input(atoms, options, fine=True)
    return text_hash(_program(options["command"], 1, options["hours"]).key(inputs))


@functools.cache
def _program(command: str, threads: int, hours: float) -> Program:
    return Program(command, threads, hours)


def cp2k(atoms: Atoms, settings: Mapping, workdir: Path, threads: int, keep: bool = False) -> Label:
    """Density-functional labels: a field-free run, and from its wave function six runs in a field.

    Grid errors of the forces cancel in Born effective charges; energy and forces come from one more
    field-free run on a finer grid where `force_cutoff` is above `cutoff`. The wave function in `workdir` is
    removed at the end unless `keep` says that others will start from it.
    """
    limits.reject_overlaps(atoms)  # before hours are spent on it
    options = settings["cp2k"]
    program = _program(options["command"], threads, options["hours"])
    cache = Cache(settings["cache"])
    key = program.key(input_file.build_input(atoms, options))
    directory = Path(workdir) / key[:16]
    with locked(directory):
        run = partial(calculate, program, cache, directory, atoms, options)
        free = run()
        outputs = {axis_sign: run(field=axis_sign) for axis_sign in FIELDS}
        fine = [run(fine=True)] if input_file.has_fine_run(options) else []
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)
    runs = [free, *outputs.values(), *fine]
    labelled = fine[0] if fine else free
    response = central_difference(
        {axis_sign: output.forces for axis_sign, output in outputs.items()}, free.forces, options["field"]
    )
    grids = {"grid_difference": float(np.abs(labelled.forces - free.forces).max() * FORCE_AU)} if fine else {}
    retried = [str(number) for number, run in enumerate(runs) if run.safe]
    return Label(
        energy=labelled.energy * HARTREE,
        forces=labelled.forces * FORCE_AU,
        response=response,
        residuals=response.residuals | grids,
        hash=identify_cp2k(atoms, settings),
        seconds={
            "field-free": free.wall,
            "fields": sum(output.wall for output in outputs.values()),
            "fine": sum(run.wall for run in fine),
        },
        provenance={
            "label_program": f"cp2k-{free.version}",
            "label_settings": (
                f"revPBE-D3 {options['basis']} {options['method']} "
                f"{options['cutoff']:g}/{options['rel_cutoff']:g}Ry"
                + (f" forces={options['force_cutoff']:g}Ry" if fine else "")
                + f" eps_default={options['eps_default']:g}"
                + ("" if atoms.pbc.any() else f" vacuum={options['vacuum']:g}A")
                + f" {_solver(options, False)} field={options['field']:g}au"
                f" {_solver(options, True)}"
            ),
            "field_operator": input_file.operator(atoms, options),
            "scf_steps": " ".join(str(run.scf_steps) for run in runs),
            # Runs, counted as in scf_steps, that only the safer solver brought to convergence.
            **({"scf_retried": " ".join(retried)} if retried else {}),
        },
    )


def relax_cp2k(atoms: Atoms, settings: Mapping, workdir: Path, threads: int) -> np.ndarray:
    """A density-functional minimum, by CP2K's own optimiser."""
    options = settings["cp2k"]
    program = _program(options["command"], threads, options["hours"])
    return relax.relax(program, Cache(settings["cache"]), workdir, atoms, options)


def _solver(options: Mapping, restart: bool) -> str:
    if input_file.uses_ot(options, restart):
        return f"OT eps_scf={options['eps_scf_ot']:g}"
    return f"diagonalization eps_scf={options['eps_scf']:g}"


def identify_xtb(atoms: Atoms, settings: Mapping) -> str:
    """Hash of the structure, the field and tblite's version; Rejected for what it cannot label."""
    xtb.reject_unsuited(atoms)
    return text_hash(xtb.key(atoms, settings["xtb"]))


def gfn2_xtb(atoms: Atoms, settings: Mapping, workdir: Path, threads: int) -> Label:
    """Tight-binding labels (GFN2-xTB) in fractions of a second; isolated structures only."""
    free, forces, program = xtb.calculate(atoms, settings["xtb"]["field"])
    response = central_difference(forces, free[1], settings["xtb"]["field"])
    return Label(
        energy=free[0] * HARTREE,
        forces=free[1] * FORCE_AU,
        response=response,
        residuals=response.residuals,
        hash=identify_xtb(atoms, settings),
        provenance={
            "label_program": program,
            "label_settings": f"GFN2-xTB field={settings['xtb']['field']:g}au",
            "field_operator": "position",
        },
    )


def relax_xtb(atoms: Atoms, settings: Mapping, workdir: Path, threads: int) -> np.ndarray:
    """A tight-binding minimum."""
    return xtb.relax(atoms)


ENGINES = {
    "cp2k": Engine(identify_cp2k, cp2k, relax_cp2k),
    "xtb": Engine(identify_xtb, gfn2_xtb, relax_xtb),
}
