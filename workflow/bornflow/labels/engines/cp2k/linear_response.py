"""Born effective charges by linear response (CP2K's DCDR), without any field.

The response of the density to each atom's displacement gives ∂M_α/∂r_iβ (Ditler et al., J. Chem. Phys.
154, 104121 (2021)). CP2K implements it for plain GPW on a single grid and isolated structures. It is an
independent check of the charges from finite fields; `labels/linear_response.py` compares both.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Float

from ....errors import BornflowError, Rejected
from ...settings import CP2KSettings
from . import input_file
from .cache import Cache, once
from .program import Program

ROW = r"^APT \|" + 3 * r"\s+([-\d.]+)" + r"\s*\n"
TENSOR = re.compile(r"^APT \| Atom\s+(\d+) - GAPT.*\n" + 3 * ROW, re.MULTILINE)


def build_input(atoms: Atoms, settings: CP2KSettings) -> str:
    """The text of a CP2K input, always for the method gpw."""
    tree = input_file.tree(atoms, replace(settings, method="gpw"))
    tree["global"]["run_type"] = "LINEAR_RESPONSE"
    dft = tree["force_eval"]["dft"]
    dft["mgrid"]["ngrids"] = 1  # with more, CP2K 2023.1 gives wrong tensors
    dft["print"] = {"moments": {"periodic": False}}
    tree["force_eval"]["properties"] = {
        "linres": {
            "eps": 1e-8,
            "max_iter": 200,
            "preconditioner": "FULL_ALL",
            "energy_gap": 0.1,
            "dcdr": {"print": {"apt": {"_": "ON", "filename": "__STD_OUT__"}}},
        }
    }
    return input_file.write(tree)


def parse(text: str, atoms: int) -> Float[np.ndarray, "atoms 3 3"]:
    """Born effective charges [field, force] in e of an output; Rejected unless it is complete.

    CP2K prints one row for each direction of displacement, so its tensors are transposed.
    """
    for mark in ("SCF run NOT converged", "linear solver didn't converge", "linear solver did NOT converge"):
        if mark in text:
            raise Rejected(f"linear response: CP2K printed '{mark}'")
    if "[ABORT]" in text or text.count("PROGRAM ENDED AT") != 1:
        raise Rejected("linear response: the output is cut off")
    tensors = TENSOR.findall(text)
    if [int(row[0]) for row in tensors] != list(range(1, atoms + 1)):
        raise Rejected(f"linear response: tensors of {len(tensors)} atoms found, {atoms} expected in order")
    return np.array([row[1:] for row in tensors], dtype=float).reshape(atoms, 3, 3).transpose(0, 2, 1)


def respond(
    program: Program, cache: Cache, workdir: Path, atoms: Atoms, settings: CP2KSettings
) -> Float[np.ndarray, "atoms 3 3"]:
    """Born effective charges [field, force] in e, from the cache or from CP2K.

    Raises BornflowError for a periodic structure and Rejected where CP2K gives no complete result.
    """
    if atoms.pbc.any():
        raise BornflowError(
            f"{atoms.info['structure']} is periodic, but linear response needs isolated structures"
        )
    text = build_input(atoms, settings)

    def work(directory: Path) -> tuple[dict[str, Any], float]:
        printed, wall = program.run(text, directory, "linear-response")
        return {"bec": parse(printed, len(atoms)).tolist()}, wall

    return np.array(once(program, cache, workdir, text, work, {"bec": (len(atoms), 3, 3)})["bec"])
