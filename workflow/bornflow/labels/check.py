"""Compare a new label of one shipped structure with the shipped one, to test the installed CP2K.

python -m bornflow.labels.check --shipped water.extxyz --config cfg.yaml --out check.csv
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from .. import cli
from ..errors import BornflowError
from ..io import frames
from ..io.files import atomic_write
from .engines import create
from .settings import load_settings

LIMITS = {"forces [eV/Å]": 0.01, "bec [e]": 0.005}  # largest accepted differences between versions of CP2K


def compare_with_shipped(atoms: Atoms, command: str, threads: int) -> pd.DataFrame:
    """Largest differences of new forces and Born effective charges from the frame's labels.

    The settings are the defaults, as for the shipped labels; `command` launches CP2K.
    """
    defaults = load_settings(None)
    with tempfile.TemporaryDirectory() as folder:
        options = replace(defaults, cache=f"{folder}/cache", cp2k=replace(defaults.cp2k, command=command))
        label = create("cp2k", options, threads).label(atoms, Path(folder))
    differences = {
        "forces [eV/Å]": np.abs(label.forces - frames.label(atoms, "forces")).max(),
        "bec [e]": np.abs(label.response.bec - frames.label(atoms, "bec")).max(),
    }
    return pd.DataFrame(
        {
            "structure": atoms.info["structure"],
            "shipped": atoms.info["label_program"],
            "here": label.provenance["label_program"],
            "quantity": differences.keys(),
            "largest_difference": differences.values(),
            "limit": LIMITS.values(),
        }
    )


@cli.command
def main() -> None:
    """Write the differences; fail if one is above its limit."""
    args = cli.parse(main, "config", "threads", "out", shipped=cli.option("the shipped labelled extxyz file"))
    smallest = min(frames.read(args.shipped), key=len)
    command = load_settings(args.config).cp2k.command
    table = compare_with_shipped(smallest, command, args.threads)
    print(table.to_string(index=False))
    bad = table[table["largest_difference"] > table["limit"]]
    if len(bad):
        raise BornflowError(
            f"the label of {smallest.info['structure']} differs from the shipped one: "
            f"{bad.to_dict('records')}; the shipped set was made with {smallest.info['label_settings']}. "
            "Find the cause before you combine new labels with this set"
        )
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.3g")


if __name__ == "__main__":
    main()
