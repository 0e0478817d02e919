"""Time and memory of one step of molecular dynamics, for our models and lorem-jax's beside them.

    python -m bornflow.dynamics.timing --models physical-uncoupled lorem-local --atoms 18 780 --out timing.csv

A step is what ASE asks a calculator for: energy, forces and Born effective charges after all atoms have
moved a little, by less than neighbour lists allow for. Weights are random, which changes no time. Every
measurement is a process of its own, so that compilation and peak memory are its own too; the programs take
turns. In the first round nothing is compiled yet, in the second what is compiled lies on the disk.
"""

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from .. import settings
from ..errors import BornflowError, command
from ..files import whole
from ..progress import track
from ..structures.packing import pack_water

PEER = "lorem-jax"  # LoremBEC of the Python package lorem-jax
PEER_ATOMS = 1000  # above, its step takes minutes
DENSITY = 0.997  # g/cm³
MOVE = 0.01  # Å, what atoms move in a step of 0.5 fs at 300 K


def water(atoms: int) -> Atoms:
    """A cluster of up to 20 molecules, else a periodic box; large boxes repeat one of 260 molecules."""
    rng = np.random.default_rng(0)
    molecules = atoms // 3
    if molecules <= 20:
        return pack_water(molecules, rng)
    if molecules <= 260:
        return pack_water(molecules, rng, DENSITY)
    copies = {8: (2, 2, 2), 4: (2, 2, 1), 2: (2, 1, 1)}.get(molecules // 260)
    if copies is None or molecules % 260:
        raise BornflowError(f"{atoms} atoms: above 780 take 1560, 3120 or 6240")
    return pack_water(260, rng, DENSITY).repeat(copies)


def ours(variant: dict):
    """A calculator of ours with random weights."""
    from ..models.variants import Model
    from ..training.checkpoint import Checkpoint
    from .calculator import BornflowCalculator

    model = Model(variant, ("H", "O"))
    small = pack_water(2, np.random.default_rng(0))
    parameters = model.initialise(model.graph(small.numbers, small.positions, None), 0)
    return BornflowCalculator(Checkpoint(model, parameters, np.zeros(2)))


def peer():
    """lorem-jax's calculator of Born effective charges, of its default size."""
    try:
        from lorem import LoremBEC
        from lorem.calculator import Calculator
    except ImportError as error:
        raise BornflowError("lorem-jax is not installed; `make bench` does so") from error
    return Calculator.from_model(LoremBEC())


def measure(calculator, atoms: Atoms, seconds: float) -> dict[str, float]:
    """Median step [ms] after warming up, first step [s], peak memory of the process [MB]."""
    rng = np.random.default_rng(1)
    atoms = atoms.copy()
    base = atoms.positions.copy()

    def step() -> float:
        # Atoms swing about their places, as they do in a liquid.
        atoms.positions = base + rng.normal(scale=MOVE, size=base.shape)
        started = time.perf_counter()
        calculator.calculate(atoms, ["energy", "forces"], ["positions"])
        np.asarray(calculator.results["born_effective_charges"])
        return time.perf_counter() - started

    first = step()
    times = []
    while sum(times) < seconds or (len(times) < 5 and sum(times) < 60):
        times.append(step())
    return {
        "step [ms]": 1e3 * float(np.median(times)),
        "first_step [s]": first,
        "peak_memory [MB]": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "steps": len(times),
    }


def compare(names: list[str], config: str | None, sizes: list[int], seconds: float) -> pd.DataFrame:
    """One row for each program and number of atoms, the faster of two measurements.

    `first_step` of the first compiles, that of the second, `first_step_cached`, reads what was compiled.
    """
    peers = [PEER] if importlib.util.find_spec("lorem") else []
    jobs = [(name, atoms) for atoms in sizes for name in [*names, *(peers if atoms <= PEER_ATOMS else [])]]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        surroundings = os.environ | {"JAX_COMPILATION_CACHE_DIR": folder}
        for name, atoms in track(jobs * 2, "timing", 2 * len(jobs), "measurements"):
            call = [sys.executable, "-m", "bornflow.dynamics.timing", "--one", name, "--atoms", str(atoms)]
            call += ["--seconds", str(seconds), *(["--config", config] if config else [])]
            result = subprocess.run(call, capture_output=True, text=True, env=surroundings)
            if result.returncode != 0:
                said = result.stderr.strip()[-500:]
                raise BornflowError(f"timing of {name} at {atoms} atoms failed: {said}")
            rows.append({"model": name, "atoms": atoms, **json.loads(result.stdout.splitlines()[-1])})
    measured = pd.DataFrame(rows)
    cached = measured.groupby(["atoms", "model"])["first_step [s]"].last().rename("first_step_cached [s]")
    cold = measured.groupby(["atoms", "model"])["first_step [s]"].first()
    table = measured.sort_values("step [ms]").groupby(["atoms", "model"]).first()
    table = table.assign(**{"first_step [s]": cold}).join(cached).reset_index()
    reference = table[table["model"] == PEER].set_index("atoms")["step [ms]"]
    table["times_as_fast"] = table["atoms"].map(reference) / table["step [ms]"]
    return table


@command
def main() -> None:
    """Time the models and write a table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--models", nargs="+", default=[], help="keys of the configuration's models")
    parser.add_argument("--config", help="a configuration; its section models is read")
    parser.add_argument("--atoms", type=int, nargs="+", default=[18, 780])
    parser.add_argument("--seconds", type=float, default=5, help="time of each measurement")
    parser.add_argument("--one", help="measure this one only and print it")
    parser.add_argument("--out")
    args = parser.parse_args()
    if args.one:
        calculator = peer() if args.one == PEER else ours(settings.load(args.config, "models")[args.one])
        import jax

        found = measure(calculator, water(args.atoms[0]), args.seconds)
        print(json.dumps(found | {"device": jax.devices()[0].device_kind}))
        return
    table = compare(args.models, args.config, args.atoms, args.seconds)
    print(table.to_string(index=False))
    with whole(Path(args.out)) as scratch:
        table.to_csv(scratch, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
