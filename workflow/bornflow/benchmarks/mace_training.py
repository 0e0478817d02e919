"""Errors of MACE trained on the labelled structures that bornflow's models are trained on.

    python -m bornflow.benchmarks.mace_training --labels resources/labels/water.extxyz \\
        --epochs 8 80 --out mace.csv

MACE (doi 10.48550/arXiv.2206.07697) learns energies and forces; it has no Born effective charges. Its size is
that of `peers.mace`. It runs on one core. `make bench-mace` installs it in an environment of its own.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import ase.io
import numpy as np
import pandas as pd
from ase import Atoms

from .. import cli, config
from ..errors import BornflowError
from ..io import frames
from ..io.files import atomic_write
from ..progress import track
from ..training.settings import TrainingSettings
from ..training.split import split
from .peers import MACE_CUTOFF, MACE_IRREPS, PEERS

OPTIONS: Mapping[str, object] = {
    "name": "mace",
    "train_file": "train.extxyz",
    "valid_file": "valid.extxyz",
    "energy_key": "REF_energy",
    "forces_key": "REF_forces",
    "E0s": "average",
    "hidden_irreps": MACE_IRREPS,
    "r_max": MACE_CUTOFF,
    "num_interactions": 2,
    "max_L": 1,
    "batch_size": 4,
    "valid_batch_size": 4,
    "eval_interval": 100,
    "default_dtype": "float32",
    "device": "cpu",
    "seed": 0,
    "lr": 0.01,
    "energy_weight": 1,
    "forces_weight": 100,
}


def write_labelled(path: Path, structures: Sequence[Atoms]) -> None:
    """Write energies and forces under the keys that MACE is told."""
    renamed = []
    for atoms in structures:
        copy = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        copy.info["REF_energy"] = frames.label(atoms, "energy")
        copy.arrays["REF_forces"] = np.asarray(frames.label(atoms, "forces"))
        renamed.append(copy)
    ase.io.write(path, renamed, format="extxyz")


def train(train_set: Sequence[Atoms], valid: Sequence[Atoms], epochs: int) -> pd.DataFrame:
    """Train for `epochs`; mean absolute errors of each kind of structure, and the processor time [s].

    Raises BornflowError if MACE's program fails.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_labelled(folder / "train.extxyz", train_set)
        write_labelled(folder / "valid.extxyz", valid)
        program = Path(sys.executable).with_name("mace_run_train")
        options = {**OPTIONS, "max_num_epochs": epochs, "scheduler": "ExponentialLR"}
        # The rate falls to a hundredth, as that of bornflow's models.
        options["lr_scheduler_gamma"] = 0.01 ** (1 / epochs)
        call = [str(program), "--ema", *(f"--{key}={value}" for key, value in options.items())]
        environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        run = subprocess.run(call, cwd=folder, env=environment, stdout=sys.stderr)  # its own log, by epoch
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if run.returncode:
            raise BornflowError(f"mace_run_train ended with status {run.returncode}; its messages are above")
        table = errors(folder / "mace.model", valid)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return table.assign(epochs=epochs, **{"processor_time [s]": seconds})


def errors(model: Path, valid: Sequence[Atoms]) -> pd.DataFrame:
    """Mean absolute errors of energies per atom and forces, for clusters and for boxes."""
    from mace.calculators import MACECalculator

    calculator = MACECalculator(model_paths=str(model), device="cpu", default_dtype="float32")
    rows = []
    for kind in ("cluster", "bulk"):
        energies, forces = [], []
        for atoms in valid:
            if frames.kind(atoms) == kind:
                calculator.calculate(atoms)
                energy, force = (
                    calculator.results[key] - np.asarray(frames.label(atoms, key))
                    for key in ("energy", "forces")
                )
                energies.append(energy / len(atoms))
                forces.append(force.ravel())
        if energies:
            means = {
                "energy_mae [meV/atom]": 1e3 * np.abs(energies).mean(),
                "forces_mae [meV/Å]": 1e3 * np.abs(np.concatenate(forces)).mean(),
            }
            rows.append({"model": "mace", "structures_of": kind, "structures": len(energies), **means})
    return pd.DataFrame(rows)


@cli.command
def main() -> None:
    """Train MACE for each number of epochs and write a table of errors and times."""
    args = cli.parse(
        main,
        "config",
        "out",
        labels=cli.options("labelled extxyz files"),
        epochs=cli.option("numbers of epochs", [8, 80], nargs="+", type=cli.count),
    )
    if not PEERS["mace"].is_installed:
        raise BornflowError(f"MACE is not installed; `{PEERS['mace'].installed_by}` installs it")
    settings = TrainingSettings.from_section(config.load(args.config, "training"))
    subsets = split(args.labels, [], settings)
    tables = [train(*subsets, epochs) for epochs in track(args.epochs, "MACE", len(args.epochs), "trainings")]
    with atomic_write(args.out) as scratch:
        pd.concat(tables).to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
