"""An independent check of labels: Born effective charges by linear response (CP2K's DCDR).

    python -m bornflow.labels.linear_response --structures S.extxyz --names A B --config cfg.yaml --out t.csv

The response of the density to each atom's displacement gives ∂M_α/∂r_iβ without any field (Ditler et
al., J. Chem. Phys. 154, 104121 (2021)). CP2K has it for plain GPW on a single grid and isolated
structures, so labels are compared at that method too.
"""

import argparse
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from jaxtyping import Float

from .. import cli, config
from ..cli import command
from ..errors import BornflowError, Rejected
from ..io.files import atomic_write
from ..progress import track
from .engines.cp2k import input_file
from .engines.cp2k.cache import Cache, once
from .engines.cp2k.program import Program
from .engines.table import cp2k
from .study import named

ROW = r"^APT \|" + 3 * r"\s+([-\d.]+)" + r"\s*\n"
TENSOR = re.compile(r"^APT \| Atom\s+(\d+) - GAPT.*\n" + 3 * ROW, re.MULTILINE)


def build_input(atoms: Atoms, settings: Mapping) -> str:
    """The text of a CP2K input; `settings` is the section `labels.cp2k`."""
    tree = input_file.tree(atoms, dict(settings) | {"method": "gpw"})
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
    """Born effective charges [field, force] in e of an output; Rejected unless it is whole.

    CP2K prints a row for each direction of displacement, so its tensors are turned.
    """
    for mark in ("SCF run NOT converged", "linear solver didn't converge", "linear solver did NOT converge"):
        if mark in text:
            raise Rejected(f"linear response: CP2K printed '{mark}'")
    if "[ABORT]" in text or text.count("PROGRAM ENDED AT") != 1:
        raise Rejected("linear response: the output is cut off")
    found = TENSOR.findall(text)
    if [int(row[0]) for row in found] != list(range(1, atoms + 1)):
        raise Rejected(f"linear response: tensors of {len(found)} atoms, {atoms} expected in order")
    return np.array([row[1:] for row in found], dtype=float).reshape(atoms, 3, 3).transpose(0, 2, 1)


def respond(program: Program, cache: Cache, workdir: Path, atoms: Atoms, settings: Mapping) -> np.ndarray:
    """Born effective charges [N, 3, 3] in e by linear response, from the cache or from CP2K."""
    if atoms.pbc.any():
        raise BornflowError(
            f"{atoms.info['structure']} is periodic; linear response takes isolated structures"
        )
    text = build_input(atoms, settings)

    def work(directory: Path) -> tuple[dict, float]:
        printed, wall = program.run(text, directory, "linear-response")
        return {"bec": parse(printed, len(atoms)).tolist()}, wall

    return np.array(once(program, cache, workdir, text, work, {"bec": (len(atoms), 3, 3)})["bec"])


def compare(atoms: Atoms, options: Mapping, workdir: Path, threads: int) -> dict:
    """A row: largest difference of linear response from finite fields, and both sum rules [e]."""
    program = Program(options["cp2k"]["command"], threads, options["cp2k"]["hours"])
    response = respond(program, Cache(options["cache"]), workdir, atoms, options["cp2k"])
    label = partial(cp2k, atoms, workdir=workdir, threads=threads)
    same = label(settings=dict(options) | {"cp2k": options["cp2k"] | {"method": "gpw"}})
    used = label(settings=options)
    return {
        "structure": atoms.info["structure"],
        "cutoff": options["cp2k"]["cutoff"],
        "field": options["cp2k"]["field"],
        "difference, gpw [e]": np.abs(response - same.response.bec).max(),
        f"difference, {options['cp2k']['method']} [e]": np.abs(response - used.response.bec).max(),
        "sum_rule, linear response [e]": np.abs(response.sum(axis=0)).max(),
        "sum_rule, gpw [e]": same.response.sum_rule,
        f"sum_rule, {options['cp2k']['method']} [e]": used.response.sum_rule,
    }


@command
def main() -> None:
    """Write the comparison of the structures named."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--structures", required=True)
    parser.add_argument("--names", required=True, nargs="+")
    parser.add_argument("--config", required=True)
    parser.add_argument("--threads", type=cli.threads, default=1)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    options = config.load(args.config, "labels")
    structures = named(args.structures, set(args.names), "labels.linear_response")
    workdir = Path(options["cache"]).parent / "work"
    rows = [
        compare(structures[name], options, workdir, args.threads)
        for name in track(args.names, "linear response", len(args.names), "structures")
    ]
    with atomic_write(args.out) as scratch:
        pd.DataFrame(rows).to_csv(scratch, index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
