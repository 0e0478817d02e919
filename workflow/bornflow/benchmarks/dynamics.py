"""Time and memory of one step of molecular dynamics, for bornflow's models and for lorem-jax.

    python -m bornflow.benchmarks.dynamics --models physical-uncoupled lorem-local \\
        --atoms 18 780 --out timing.csv

A step is one call of an ASE calculator: energy, forces and Born effective charges after all atoms have moved
by less than the skin of the neighbour list. Weights are random, which does not change the time.
"""

import json
import resource
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from .. import cli, config
from ..errors import BornflowError
from ..structures.packing import pack_water
from .harness import OPTIONS, PEER, check_arguments, has_peer, measure_steps, write_table

PEER_ATOMS = 1000  # with more atoms a step of lorem-jax takes minutes
DENSITY = 0.997  # g/cm³
MOVE = 0.01  # Å, the displacement of an atom in a step of 0.5 fs at 300 K


def water(atoms: int) -> Atoms:
    """A cluster of up to 20 molecules, or a periodic box; large boxes repeat one of 260 molecules.

    Raises BornflowError for a number of atoms that no repetition gives.
    """
    rng = np.random.default_rng(0)
    molecules = atoms // 3
    if molecules <= 20:
        return pack_water(molecules, rng)
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


def lorem_jax_calculator() -> BaseCalculator:
    """lorem-jax's model of Born effective charges in its default size, as an ASE calculator."""
    try:
        from lorem import LoremBEC
        from lorem.calculator import Calculator
    except ImportError as error:
        raise BornflowError("lorem-jax is not installed; `make bench` installs it") from error
    return Calculator.from_model(LoremBEC())


def measure(calculator: BaseCalculator, atoms: Atoms, seconds: float) -> dict[str, Any]:
    """Median step [ms], first step [s] and peak memory of the process [MB]."""
    rng = np.random.default_rng(1)
    atoms = atoms.copy()
    base = atoms.positions.copy()

    def step() -> None:
        # Atoms vibrate about their positions, as in a liquid.
        atoms.positions = base + rng.normal(scale=MOVE, size=base.shape)
        calculator.calculate(atoms, ["energy", "forces"], ["positions"])
        np.asarray(calculator.results["born_effective_charges"])

    times = measure_steps(step, seconds)
    return times | {"peak_memory [MB]": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


@cli.command
def main() -> None:
    """Time the models and write a table."""
    atoms = cli.option("numbers of atoms, each of which is timed", [18, 780], nargs="+", type=int)
    args = cli.parse(main, "config", atoms=atoms, **OPTIONS)
    if args.one:
        variant = {"backbone": PEER, "charges": "uncoupled"}
        if args.one != PEER:
            variant = config.load_variant(args.config, args.one)
        calculator = lorem_jax_calculator() if args.one == PEER else bornflow_calculator(variant)
        import jax

        result = measure(calculator, water(args.atoms[0]), args.seconds)
        result |= {key: variant[key] for key in ("backbone", "charges")}
        print(json.dumps(result | {"device": jax.devices()[0].device_kind}))
        return
    check_arguments(args)
    peers = [PEER] if has_peer() else []
    jobs = [(name, n) for n in args.atoms for name in [*args.models, *(peers if n <= PEER_ATOMS else [])]]
    write_table("bornflow.benchmarks.dynamics", "atoms", jobs, args)


if __name__ == "__main__":
    main()
