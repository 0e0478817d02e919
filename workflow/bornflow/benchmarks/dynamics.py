"""Time and memory of one step of molecular dynamics, for our models and lorem-jax's beside them.

    python -m bornflow.benchmarks.dynamics --models physical-uncoupled lorem-local \\
        --atoms 18 780 --out timing.csv

A step is what ASE asks a calculator for: energy, forces and Born effective charges after all atoms have
moved a little, by less than neighbour lists allow for. Weights are random, which changes no time.
"""

import json
import resource

import numpy as np
from ase import Atoms

from .. import config
from ..cli import command
from ..errors import BornflowError
from ..structures.packing import pack_water
from .harness import PEER, arguments, has_peer, record, repeat

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
    from ..inference.calculator import BornflowCalculator
    from ..inference.checkpoint import Checkpoint
    from ..models.model import Model

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
    """Median step [ms], first step [s], peak memory of the process [MB]."""
    rng = np.random.default_rng(1)
    atoms = atoms.copy()
    base = atoms.positions.copy()

    def step() -> None:
        # Atoms swing about their places, as they do in a liquid.
        atoms.positions = base + rng.normal(scale=MOVE, size=base.shape)
        calculator.calculate(atoms, ["energy", "forces"], ["positions"])
        np.asarray(calculator.results["born_effective_charges"])

    found = repeat(step, seconds)
    return found | {"peak_memory [MB]": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


@command
def main() -> None:
    """Time the models and write a table."""
    parser = arguments(main.__doc__)
    parser.add_argument("--atoms", type=int, nargs="+", default=[18, 780])
    args = parser.parse_args()
    if args.one:
        variant = {"backbone": PEER, "charges": "uncoupled"}
        if args.one != PEER:
            variant = config.load(args.config, "models")[args.one]
        calculator = peer() if args.one == PEER else ours(variant)
        import jax

        found = measure(calculator, water(args.atoms[0]), args.seconds)
        found |= {key: variant[key] for key in ("backbone", "charges")}
        print(json.dumps(found | {"device": jax.devices()[0].device_kind}))
        return
    peers = [PEER] if has_peer() else []
    jobs = [(name, n) for n in args.atoms for name in [*args.models, *(peers if n <= PEER_ATOMS else [])]]
    record("bornflow.benchmarks.dynamics", "atoms", jobs, args)


if __name__ == "__main__":
    main()
