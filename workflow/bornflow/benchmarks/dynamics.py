"""Time and memory of one step of molecular dynamics, for bornflow's models and those of other packages.

    python -m bornflow.benchmarks.dynamics --models physical-uncoupled lorem-local \\
        --peers lorem-jax charge-nep --atoms 18 780 --out timing.csv

A step is one call of an ASE calculator: energy, forces and, for models that have them, Born effective charges
after all atoms have moved by less than the skin of the neighbour list. Weights are random, which does not
change the time.
"""

import json
import logging
import resource
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from .. import cli, config
from ..errors import BornflowError
from ..structures.packing import pack_water
from .harness import OPTIONS, check_arguments, measure_steps, write_table
from .peers import PEERS, WITH_BEC, jax_device

logger = logging.getLogger(__name__)

DENSITY = 0.997  # g/cm³
MOVE = 0.01  # Å, the displacement of an atom in a step of 0.5 fs at 300 K


def water(atoms: int) -> Atoms:
    """A cluster of up to 20 molecules, or a periodic box; large boxes repeat one of 260 molecules.

    Raises BornflowError for a number of atoms that no repetition gives.
    """
    rng = np.random.default_rng(0)
    molecules = atoms // 3
    if molecules <= 20:
        cluster = pack_water(molecules, rng)
        cluster.center(vacuum=6)  # some peers need a cell
        return cluster
    if molecules <= 260:
        return pack_water(molecules, rng, DENSITY)
    copies = {8: (2, 2, 2), 4: (2, 2, 1), 2: (2, 1, 1)}.get(molecules // 260)
    if copies is None or molecules % 260:
        raise BornflowError(f"--atoms is {atoms}; above 780 it can be 1560, 3120 or 6240")
    return pack_water(260, rng, DENSITY).repeat(copies)


def bornflow_calculator(variant: Mapping[str, Any]) -> BaseCalculator:
    """A bornflow model with random weights, as an ASE calculator."""
    from ..inference.calculator import BornflowCalculator
    from ..inference.checkpoint import Checkpoint
    from ..models.model import Model

    model = Model(variant, ("H", "O"))
    small = pack_water(2, np.random.default_rng(0))
    parameters = model.initialise(model.graph(small.numbers, small.positions, None), 0)
    return BornflowCalculator(Checkpoint(model, parameters, np.zeros(2)))


def measure(
    calculator: BaseCalculator, atoms: Atoms, properties: Sequence[str], seconds: float
) -> dict[str, Any]:
    """Median step [ms], first step [s] and peak memory of the process [MB]."""
    rng = np.random.default_rng(1)
    atoms = atoms.copy()
    base = atoms.positions.copy()

    def step() -> None:
        # Atoms vibrate about their positions, as in a liquid.
        atoms.positions = base + rng.normal(scale=MOVE, size=base.shape)
        calculator.calculate(atoms, list(properties), ["positions"])
        for name in properties:
            np.asarray(calculator.results[name])

    times = measure_steps(step, seconds)
    return times | {"peak_memory [MB]": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measure_one(name: str, config_path: str | None, atoms: Atoms, seconds: float) -> dict[str, Any]:
    """The row of one model, or of one of PEERS."""
    if name in PEERS:
        peer = PEERS[name]
        result = measure(peer.build(), atoms, peer.properties, seconds)
        return result | {"backbone": name, "charges": peer.charges, "device": peer.device()}

    variant = config.load_variant(config_path, name)
    result = measure(bornflow_calculator(variant), atoms, WITH_BEC, seconds)
    described = {key: variant[key] for key in ("backbone", "charges")}
    return result | described | {"device": jax_device()}


@cli.command
def main() -> None:
    """Time the models and write a table."""
    atoms = cli.option("numbers of atoms, each of which is timed", [18, 780], nargs="+", type=int)
    args = cli.parse(main, "config", atoms=atoms, **OPTIONS)
    if args.one:
        print(json.dumps(measure_one(args.one, args.config, water(args.atoms[0]), args.seconds)))
        return
    check_arguments(args)
    jobs = [
        (name, n)
        for n in args.atoms
        for name in [*args.models, *(peer for peer in args.peers if n <= PEERS[peer].most_atoms)]
    ]
    for peer in args.peers:
        if skipped := [n for n in args.atoms if n > PEERS[peer].most_atoms]:
            logger.warning("%s is not timed with %s atoms, which takes too long", peer, skipped)
    if not jobs:
        raise BornflowError("nothing is left to time; give models, or --atoms of at most 1000")
    write_table("bornflow.benchmarks.dynamics", "atoms", jobs, args)


if __name__ == "__main__":
    main()
