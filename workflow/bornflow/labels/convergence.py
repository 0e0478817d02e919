"""How far labels are converged: differences from a reference setting, one setting varied at a time.

    python -m bornflow.labels.convergence --config cfg.yaml --out table.csv

Energies carry an offset that depends on the settings and cancels in training; forces and Born
effective charges do not, so the largest difference in any of their components is reported.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from .. import frames, settings
from ..errors import BornflowError, command
from ..files import whole
from .engines import cp2k


def compare(structures: Sequence[Atoms], options: Mapping, workdir: Path, threads: int) -> pd.DataFrame:
    """One row per structure and variant of `options["convergence"]`.

    Columns: max |ΔF| [meV/Å], max |ΔZ| [e], |Σ F| [meV/Å], sum rule [e], beside the settings.
    """
    study = options["convergence"]
    rows = []
    for atoms in structures:
        reference = _label(atoms, options, study["reference"], workdir, threads)
        for variant in study["variants"]:
            label = _label(atoms, options, variant, workdir, threads)
            used = options["cp2k"] | variant
            rows.append(
                {
                    "structure": atoms.info["structure"],
                    **{key: used[key] for key in study["columns"]},
                    "force_difference [meV/Å]": 1e3 * np.abs(label.forces - reference.forces).max(),
                    "bec_difference [e]": np.abs(label.response.bec - reference.response.bec).max(),
                    "net_force [meV/Å]": 1e3 * np.abs(label.forces.sum(axis=0)).max(),
                    "sum_rule [e]": label.response.sum_rule,
                }
            )
            print(pd.DataFrame(rows[-1:]).to_string(header=len(rows) == 1), flush=True)
    return pd.DataFrame(rows)


def _label(atoms: Atoms, options: Mapping, change: Mapping, workdir: Path, threads: int):
    return cp2k(atoms, dict(options) | {"cp2k": options["cp2k"] | change}, workdir, threads)


@command
def main() -> None:
    """Write the table of differences."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    options = settings.load(args.config, "labels")
    study = options["convergence"]
    found = {atoms.info["structure"]: atoms for atoms in frames.read(study["data"])}
    missing = [name for name in study["structures"] if name not in found]
    if missing:
        raise BornflowError(
            f"{study['data']} holds no structure {', '.join(missing)} (labels.convergence.structures)"
        )
    workdir = Path(options["cache"]).parent / "work"
    table = compare([found[name] for name in study["structures"]], options, workdir, args.threads)
    with whole(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
