"""A pool of candidate structures: water sampled with GFN-xTB (tblite), or structures read from files.

    python -m bornflow.structures.sample --structure cluster-3 --config cfg.yaml --out pool.extxyz

Sampling packs the molecules of each start at random and relaxes them. From the relaxed structure, one run of
molecular dynamics for each temperature samples stretched and bent geometries.
"""

from collections.abc import Iterator

import numpy as np
from ase import Atoms
from ase.optimize import FIRE
from tblite.ase import TBLite

from .. import cli, config, thermostats
from ..errors import BornflowError
from ..io import frames
from ..progress import Meter
from .candidates import read_candidates
from .packing import pack_water
from .settings import PoolSettings

THERMOSTAT_TIME = 50.0  # fs


def sample(name: str, settings: PoolSettings, seed: int) -> list[Atoms]:
    """Frames of runs from random packings, named `{name}-{start}-{origin}`.

    `origin` is `relaxed`, or the temperature and a counter. The same seed gives the same frames. Raises
    BornflowError if the molecules do not fit at the density.
    """
    if settings.molecules is None:
        raise BornflowError(f"structures.pools.{name}: no molecules to sample; give molecules")
    pool = []
    steps_of_start = settings.relaxation_steps + len(settings.temperatures) * settings.steps
    with Meter(f"pool {name}", settings.starts * steps_of_start, "steps") as meter:
        for start in range(settings.starts):
            rng = np.random.default_rng([seed, settings.molecules, start])
            packed = pack_water(settings.molecules, rng, settings.density)
            for origin, atoms in _sample_start(packed, settings, rng, meter):
                pool.append(
                    _frame(atoms, f"{name}-{start}-{origin}", _group(atoms, start, settings, seed), settings)
                )
    return pool


def _sample_start(
    atoms: Atoms, settings: PoolSettings, rng: np.random.Generator, meter: Meter
) -> Iterator[tuple[str, Atoms]]:
    """Relax one packing in place; yield all candidates from it, each with its origin."""
    _relax(atoms, settings, meter)
    if settings.keep_relaxed:
        yield "relaxed", atoms
    for temperature in settings.temperatures:
        run = _run(atoms, float(temperature), settings, rng, meter)
        for index, frame in enumerate(run):
            yield f"{temperature:g}K-{index}", frame


def _relax(atoms: Atoms, settings: PoolSettings, meter: Meter) -> None:
    end = meter.done + settings.relaxation_steps
    atoms.calc = TBLite(method=settings.method, verbosity=0)
    relaxation = FIRE(atoms, logfile=None)
    relaxation.attach(meter.advance, note="relaxation")
    relaxation.run(fmax=0.05, steps=settings.relaxation_steps)
    meter.advance(end - meter.done)


def _run(
    start: Atoms, temperature: float, settings: PoolSettings, rng: np.random.Generator, meter: Meter
) -> list[Atoms]:
    atoms = start.copy()
    atoms.calc = TBLite(method=settings.method, verbosity=0)
    # In a relaxed structure half of the kinetic energy becomes potential energy: start twice as hot.
    thermostats.thermalise(atoms, 2 * temperature, rng)
    dynamics = thermostats.bussi(atoms, settings.timestep, temperature, THERMOSTAT_TIME, rng)
    sampled = []
    for step in range(1, settings.steps + 1):
        dynamics.run(1)
        meter.advance(note=f"{thermostats.temperature(atoms):.0f} K")
        if step % settings.interval == 0:
            sampled.append(atoms.copy())
    return sampled


def _group(atoms: Atoms, start: int, settings: PoolSettings, seed: int) -> str:
    """The name of a packing: pools of one size, density and seed begin with the same packings."""
    density = f"{settings.density:g}-" if settings.density is not None else ""
    group = f"{frames.kind(atoms)}-{settings.molecules}-{density}{start}"
    return f"{group}-seed-{seed}" if seed else group


def _frame(atoms: Atoms, name: str, group: str, settings: PoolSettings) -> Atoms:
    frame = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    frame.info = {
        "structure": name,
        "source": f"random packing, {settings.method}",
        "group": group,
        "kind": frames.kind(atoms),
        "n_molecules": settings.molecules,
    }
    return frame


@cli.command
def main() -> None:
    """Write the candidates of one pool."""
    args = cli.parse(
        main,
        "out",
        structure=cli.option("a key of structures.pools"),
        config=cli.option("configuration file with that pool"),
    )
    section = config.load(args.config, "structures")
    if args.structure not in section["pools"]:
        raise BornflowError(
            f"{args.config}: --structure is {args.structure}, which is not a key of structures.pools; its "
            f"keys: {', '.join(section['pools']) or 'none'}"
        )
    settings = PoolSettings(**section["pools"][args.structure])
    if settings.files is not None:
        pool = read_candidates(settings.files, settings.relax)
    else:
        pool = sample(args.structure, settings, section["seed"])
    frames.write(args.out, pool)


if __name__ == "__main__":
    main()
