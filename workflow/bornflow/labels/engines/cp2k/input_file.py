"""CP2K inputs for one energy-and-forces calculation, with or without an electric field.

The text of an input is the identity of a calculation: it contains no path and no name that could
change from run to run, so its hash is the key of the cache (`cache.Cache`). Sections that only print results
(`dipole`) are added when the input is run and are not part of this identity. Inputs are built with
cp2k-input-tools and checked by the installed program's own `-c` (`program.Program.check`).

The quadrature of the exchange-correlation energy limits the accuracy of forces on oxygen: with plain GPW
the force on an O atom depends on its place on the grid by 28 meV/Å even at 800 Ry. `gapw` treats the
heavy atoms' cores on atomic grids, `gpw_fine` integrates on a plane-wave grid of four times the
cutoff. resources/labels/studies/convergence.csv compares the first two.
"""

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from ase import Atoms
from cp2k_input_tools.generator import CP2KInputGenerator

from ....electrons import multiplicity, total_charge
from ....errors import Rejected
from ....io.frames import kind, name
from ...finite_field import Direction
from ...settings import CP2KSettings
from .valence import VALENCE

PROJECT = "label"
START_WAVEFUNCTION = "start.wfn"
BASIS_FILE, POTENTIAL_FILE, DISPERSION_FILE = "BASIS_MOLOPT", "GTH_POTENTIALS", "dftd3.dat"
PERIODIC = {"periodic": "XYZ", "poisson_solver": "PERIODIC"}
ISOLATED = {"periodic": "NONE", "poisson_solver": "WAVELET"}


def operator(atoms: Atoms, settings: CP2KSettings) -> str:
    """`position` (E·r, isolated structures) or `berry` (the Berry phase, any structure)."""
    if kind(atoms) == "bulk" or settings.field_operator == "berry":
        return "berry"
    return "position"


def cell_edge(atoms: Atoms, settings: CP2KSettings) -> float:
    """Edge of the cubic cell of an isolated structure in Å.

    The structure's largest extent plus `vacuum`, rounded up to half an Å so that similar
    structures share a grid.
    """
    extent = np.ptp(atoms.positions, axis=0).max()
    return math.ceil(2 * (extent + settings.vacuum)) / 2


def build_input(
    atoms: Atoms,
    settings: CP2KSettings,
    field: Direction | None = None,
    fine: bool = False,
    safe: bool = False,
    dipole: bool = False,
) -> str:
    """The text of a CP2K input.

    `settings` is the section `labels.cp2k` of a configuration. `field` is (axis, sign) of an
    electric field of magnitude `settings.field` in atomic units; `fine` is the field-free run at
    `settings.force_cutoff`. Both start from the wave function in the file START_WAVEFUNCTION. `safe`
    chooses OT with conjugate gradients, for structures whose SCF does not converge otherwise. With `dipole`
    the output also contains the dipole, for periodic structures from the Berry phase. Raises Rejected for an
    element without a pseudopotential in VALENCE.
    """
    sections = tree(atoms, settings, field, fine, safe)
    if dipole:
        moments = {"periodic": kind(atoms) == "bulk", "filename": "__STD_OUT__"}
        sections["force_eval"]["dft"]["print"] = {"moments": moments}
    return write(sections)


def tree(
    atoms: Atoms,
    settings: CP2KSettings,
    field: Direction | None = None,
    fine: bool = False,
    safe: bool = False,
) -> dict[str, Any]:
    """The input that `build_input` writes, as nested sections."""
    unknown = sorted(set(atoms.get_chemical_symbols()) - set(VALENCE))
    if unknown:
        raise Rejected(
            f"structure {name(atoms)}: no pseudopotential is listed for {', '.join(unknown)} "
            "(workflow/bornflow/labels/engines/cp2k/valence.py); leave this structure out"
        )
    return {
        "global": {
            "project_name": PROJECT,
            "run_type": "ENERGY_FORCE",
            "print_level": "LOW",
            "echo_input": True,  # the echo proves which field was applied
        },
        "force_eval": {
            "method": "QS",
            "dft": _dft(atoms, settings, field, fine, safe),
            "print": {"forces": {"_": "ON", "ndigits": 12}},
            "subsys": _subsystem(atoms, settings),
        },
    }


def _dft(
    atoms: Atoms, settings: CP2KSettings, field: Direction | None, fine: bool, safe: bool
) -> dict[str, Any]:
    restart = fine or field is not None
    dft: dict[str, Any] = {
        "basis_set_file_name": BASIS_FILE,
        "potential_file_name": POTENTIAL_FILE,
        "mgrid": {
            "cutoff": settings.force_cutoff if fine else settings.cutoff,
            "rel_cutoff": settings.rel_cutoff,
        },
        "qs": {
            "method": settings.method.split("_")[0].upper(),
            "eps_default": settings.eps_default,
        },
        "poisson": PERIODIC if kind(atoms) == "bulk" else ISOLATED,
        "scf": _scf(settings, restart, safe),
        "xc": _xc(settings.method),
    }
    # Not written for neutral closed shells, whose labels are known by inputs without these keywords.
    if charge := total_charge(atoms):
        dft["charge"] = charge
    if multiplicity(atoms) > 1:
        dft |= {"multiplicity": multiplicity(atoms), "uks": True}
    if restart:
        dft["wfn_restart_file_name"] = START_WAVEFUNCTION
    if field is not None:
        axis, sign = field
        direction = [float(sign) if i == axis else 0.0 for i in range(3)]
        section = "periodic_efield" if operator(atoms, settings) == "berry" else "efield"
        dft[section] = {"intensity": settings.field, "polarisation": direction}
    return dft


def write(tree: Mapping[str, Any]) -> str:
    """The text of an input tree."""
    return "\n".join(_generator().line_iter(tree)) + "\n"


@functools.cache
def _generator() -> CP2KInputGenerator:
    return CP2KInputGenerator()  # reads a large grammar, which takes seconds: once in each process


def _scf(settings: CP2KSettings, restart: bool, safe: bool) -> dict[str, Any]:
    scf: dict[str, Any] = {"scf_guess": "RESTART" if restart else "ATOMIC"}
    scf["eps_scf"] = settings.eps_scf
    scf["max_scf"] = settings.max_scf
    if safe or settings.uses_ot(restart):
        scf["eps_scf"] = settings.eps_scf_ot
        scf["ot"] = {
            "minimizer": "CG" if safe else "DIIS",
            "preconditioner": "FULL_SINGLE_INVERSE" if safe else "FULL_ALL",
        }
        scf["outer_scf"] = {"eps_scf": settings.eps_scf_ot, "max_scf": 5}
    else:
        scf["eps_diis"] = 0.5
        scf["max_diis"] = 7
        scf["diagonalization"] = {"algorithm": "STANDARD"}
        scf["mixing"] = {"method": "DIRECT_P_MIXING", "alpha": 0.4}
    return scf


def _xc(method: str) -> dict[str, Any]:
    grid: dict[str, Any] = {"xc_grid": {"use_finer_grid": True}} if method == "gpw_fine" else {}
    return grid | {
        "xc_functional": {"pbe": {"parametrization": "REVPBE"}},
        "vdw_potential": {
            "potential_type": "PAIR_POTENTIAL",
            "pair_potential": {
                "type": "DFTD3",
                "r_cutoff": 15.0,
                "long_range_correction": True,
                "reference_functional": "revPBE",
                "parameter_file_name": DISPERSION_FILE,
            },
        },
    }


def _subsystem(atoms: Atoms, settings: CP2KSettings) -> dict[str, Any]:
    positions = atoms.positions
    cell: dict[str, Any]
    if kind(atoms) == "bulk":
        cell = {name: _numbers(vector) for name, vector in zip("abc", atoms.cell, strict=True)}
        cell["periodic"] = "XYZ"
    else:
        edge = cell_edge(atoms, settings)
        cell = {"abc": _numbers([edge] * 3), "periodic": "NONE"}
        middle = (positions.max(axis=0) + positions.min(axis=0)) / 2
        positions = positions - middle + edge / 2
    elements = sorted(set(atoms.get_chemical_symbols()))
    return {
        "cell": cell,
        "coord": {
            "*": [
                " ".join([symbol, *_numbers(position)])
                for symbol, position in zip(atoms.get_chemical_symbols(), positions, strict=True)
            ]
        },
        "kind": [
            {
                "_": element,
                "basis_set": settings.basis,
                "potential": f"GTH-PBE-q{VALENCE[element]}",
            }
            | ({"gpw_type": True} if settings.method == "gapw" and element == "H" else {})
            for element in elements
        ],
    }


def _numbers(values: Iterable[float]) -> list[str]:
    return [f"{value:.10f}" for value in values]
