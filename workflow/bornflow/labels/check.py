"""Label one shipped structure afresh with the CP2K found here and compare.

python -m bornflow.labels.check --shipped water.extxyz --config cfg.yaml --out check.csv
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from .. import cli, config
from ..cli import command
from ..errors import BornflowError
from ..io import frames
from ..io.files import atomic_write
from .engines.table import cp2k

LIMITS = {"forces [eV/Å]": 0.01, "bec [e]": 0.005}  # what another version of CP2K may differ by


def compare(atoms, command: str, threads: int) -> pd.DataFrame:
    """Largest differences of forces and Born effective charges from the frame's labels.

    The settings are the defaults, which the shipped labels were made with; `command` launches CP2K.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = {"cache": f"{folder}/cache", "cp2k": {"command": command}}
        fresh = cp2k(atoms, config.complete({"labels": options})["labels"], Path(folder), threads)
    differences = {
        "forces [eV/Å]": np.abs(fresh.forces - frames.label(atoms, "forces")).max(),
        "bec [e]": np.abs(fresh.response.bec - frames.label(atoms, "bec")).max(),
    }
    return pd.DataFrame(
        {
            "structure": atoms.info["structure"],
            "shipped": atoms.info["label_program"],
            "here": fresh.provenance["label_program"],
            "quantity": differences.keys(),
            "largest_difference": differences.values(),
            "limit": LIMITS.values(),
        }
    )


@command
def main() -> None:
    """Write the comparison; fail if a difference is above its limit."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--shipped", required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--threads", type=cli.threads, default=1)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    options = config.load(args.config, "labels")
    smallest = min(frames.read(args.shipped), key=len)
    table = compare(smallest, options["cp2k"]["command"], args.threads)
    print(table.to_string(index=False))
    bad = table[table["largest_difference"] > table["limit"]]
    if len(bad):
        raise BornflowError(
            f"the label of {smallest.info['structure']} differs from the shipped one: "
            f"{bad.to_dict('records')}; the shipped set was made with {smallest.info['label_settings']}. "
            "Do not mix labels made here with it before you know why"
        )
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.3g")


if __name__ == "__main__":
    main()
