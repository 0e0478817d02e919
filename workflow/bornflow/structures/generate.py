"""A pool of candidate structures: sampled with GFN-xTB (tblite), built as isomers, or read from files.

    python -m bornflow.structures.generate --structure cluster-3 --config cfg.yaml --out pool.extxyz

To sample, each start is packed at random and relaxed; from the relaxed structure one run of molecular
dynamics a temperature samples stretched and bent geometries.
"""

import argparse
import sys
from collections.abc import Mapping

import numpy as np
from ase import Atoms
from ase.optimize import FIRE
from tblite.ase import TBLite

from .. import config, constraints, thermostats
from ..cli import command
from ..errors import BornflowError
from ..io import frames
from ..progress import Meter
from .isomers import lowest
from .packing import pack_water

THERMOSTAT_TIME = 50.0  # fs


def generate(name: str, options: Mapping, seed: int) -> list[Atoms]:
    """Candidate frames of one pool; `options` is one entry of `structures.pools`.

    The same seed gives the same frames.
    """
    if "isomers" in options:
        return [lowest(isomer, seed) for isomer in options["isomers"]]
    if "files" in options:
        return [_candidate(atoms, options) for atoms in frames.read_all(options["files"])]
    return sample(name, options, seed)


def _candidate(atoms: Atoms, options: Mapping) -> Atoms:
    """A frame of a file without labels or constraints; constraints are rejected where it will be relaxed."""
    if options.get("relax"):
        constraints.reject(atoms, frames.name(atoms), "the relaxation of the pool")
    elif atoms.constraints:
        print(
            f"{frames.name(atoms)}: constraints are left out, since labels do not move atoms", file=sys.stderr
        )
    return frames.without_labels(atoms)


def sample(name: str, options: Mapping, seed: int) -> list[Atoms]:
    """Frames of runs from random packings, named `{name}-{start}-{origin}`.

    origin is `relaxed` or the temperature and a counter.
    """
    pool = []
    each = options["relaxation_steps"] + len(options["temperatures"]) * options["steps"]
    with Meter(f"pool {name}", options["starts"] * each, "steps") as meter:
        for start in range(options["starts"]):
            rng = np.random.default_rng([seed, options["molecules"], start])
            atoms = pack_water(options["molecules"], rng, options.get("density"))
            _relax(atoms, options, meter)
            if options["keep_relaxed"]:
                pool.append(_frame(atoms, f"{name}-{start}-relaxed", start, options))
            for temperature in options["temperatures"]:
                run = _run(atoms, float(temperature), options, rng, meter)
                pool += [
                    _frame(frame, f"{name}-{start}-{temperature:g}K-{index}", start, options)
                    for index, frame in enumerate(run)
                ]
    return pool


def _relax(atoms: Atoms, options: Mapping, meter: Meter) -> None:
    end = meter.done + options["relaxation_steps"]
    atoms.calc = TBLite(method=options["method"], verbosity=0)
    relaxation = FIRE(atoms, logfile=None)
    relaxation.attach(meter.advance, note="relaxation")
    relaxation.run(fmax=0.05, steps=options["relaxation_steps"])
    meter.advance(end - meter.done)


def _run(start: Atoms, temperature: float, options: Mapping, rng, meter: Meter) -> list[Atoms]:
    atoms = start.copy()
    atoms.calc = TBLite(method=options["method"], verbosity=0)
    # The relaxed structure takes up half of the kinetic energy: start twice as hot.
    thermostats.thermalise(atoms, 2 * temperature, rng)
    dynamics = thermostats.bussi(atoms, options["timestep"], temperature, THERMOSTAT_TIME, rng)
    sampled = []
    for step in range(1, options["steps"] + 1):
        dynamics.run(1)
        meter.advance(note=f"{thermostats.temperature(atoms):.0f} K")
        if step % options["interval"] == 0:
            sampled.append(atoms.copy())
    return sampled


def _frame(atoms: Atoms, name: str, start: int, options: Mapping) -> Atoms:
    # All pools of one size and density begin with the same packings.
    density = f"{options['density']:g}-" if "density" in options else ""
    frame = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    frame.info = {
        "structure": name,
        "source": f"random packing, {options['method']}",
        "group": f"{frames.kind(atoms)}-{options['molecules']}-{density}{start}",
        "kind": frames.kind(atoms),
        "n_molecules": options["molecules"],
    }
    return frame


@command
def main() -> None:
    """Write the pool of one structure family."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--structure", required=True, help="a key of structures.pools")
    parser.add_argument("--config", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    options = config.load(args.config, "structures")
    if args.structure not in options["pools"]:
        raise BornflowError(
            f"{args.config}: --structure is {args.structure}, which structures.pools does not hold; it holds "
            f"{', '.join(options['pools']) or 'nothing'}"
        )
    pool = generate(args.structure, options["pools"][args.structure], options["seed"])
    frames.write(args.out, pool)


if __name__ == "__main__":
    main()
