"""An independent check of labels: Born effective charges from finite fields against linear response.

    python -m bornflow.labels.linear_response --structures S.extxyz --names A B --config cfg.yaml --out t.csv

CP2K implements linear response for plain GPW only. The finite-field charges of this method are therefore
compared as well.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from .. import cli
from ..electrons import total_charge
from ..io.files import atomic_write
from ..progress import track
from .engines.cp2k.engine import CP2K
from .finite_field import sum_rule
from .named_structures import read_named
from .settings import load_settings


def compare_with_finite_fields(atoms: Atoms, engine: CP2K, workdir: Path) -> dict[str, Any]:
    """A row: largest difference of linear response from finite fields, and both sum rules [e]."""
    method = engine.cp2k.method
    charges = engine.linear_response(atoms, workdir)
    gpw = engine.varied(method="gpw").label(atoms, workdir).response
    used = engine.label(atoms, workdir).response
    return {
        "structure": atoms.info["structure"],
        "cutoff": engine.cp2k.cutoff,
        "field": engine.cp2k.field,
        "difference, gpw [e]": np.abs(charges - gpw.bec).max(),
        f"difference, {method} [e]": np.abs(charges - used.bec).max(),
        "sum_rule, linear response [e]": sum_rule(charges, total_charge(atoms)),
        "sum_rule, gpw [e]": gpw.sum_rule,
        f"sum_rule, {method} [e]": used.sum_rule,
    }


@cli.command
def main() -> None:
    """Write a table that compares both for the structures named."""
    args = cli.parse(
        main, "structures", "config", "threads", "out", names=cli.options("names of isolated structures")
    )
    settings = load_settings(args.config)
    engine = CP2K(settings, args.threads)
    structures = read_named(args.structures, args.names, "labels.linear_response")
    rows = [
        compare_with_finite_fields(structures[name], engine, settings.scratch)
        for name in track(args.names, "linear response", len(args.names), "structures")
    ]
    with atomic_write(args.out) as scratch:
        pd.DataFrame(rows).to_csv(scratch, index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
