"""Molecular dynamics with a trained model; the bound-charge current is recorded at every step.

    python -m bornflow.dynamics.md --checkpoint DIR --structure S.extxyz --config cfg.yaml \\
        --seed 0 --out run.h5

The integrator is ASE's velocity Verlet. Equilibration uses a Langevin thermostat, which acts on every atom.
Recorded steps use the Bussi thermostat, which hardly disturbs the dynamics, or none (nve). The current is
    dM_α/dt = Σ_iβ Z[i, α, β] v_iβ.
A killed run resumes after its last finished chunk, with results that are bit for bit equal to those of an
uninterrupted run. `run` contains its steps, `series` reads its result.
"""

import hashlib
import logging
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from .. import cli, config, constraints
from ..inference.calculator import BornflowCalculator
from ..io import frames
from ..io.files import sole_writer
from ..progress import Meter
from . import initial_conditions, input_checks
from .chunks import run_identity
from .run import finish, start_or_resume
from .series import read_run
from .settings import SystemSettings, select_system

logger = logging.getLogger(__name__)

NS_PER_DAY = 1e-6 * 86400  # of one fs in a second


def simulate(
    atoms: Atoms,
    calculator: BornflowCalculator,
    settings: SystemSettings,
    seed: int | Sequence[int],
    out: Path,
    identity: str = "",
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Run molecular dynamics of `atoms` and write the series to `out`.

    The first `settings.equilibration` steps are not recorded. The entries of `provenance` become attributes
    of the file. A run resumes from chunks with the same `identity`. Raises BornflowError for constraints,
    and if the model fails or the motion becomes unphysical, with the step, the atom and the value found.
    """
    constraints.reject(atoms, frames.name(atoms), "a run")
    run = start_or_resume(atoms, calculator, settings, seed, out, identity)
    total = settings.equilibration + settings.steps
    speed = (settings.timestep * NS_PER_DAY, "ns/day")
    with Meter(f"md {out.stem}", total, "steps", run.steps_done, speed) as meter:
        while not run.is_finished:
            run.advance(meter)
    if timing := run.timing():
        logger.info(timing)
    finish(run, seed, out, provenance or {})
    _, temperatures = read_run(out, "temperature", optional=["bond_temperature"])
    means = (f"{name.replace('_', ' ')} {values.mean():.0f} K" for name, values in temperatures.items())
    logger.info("mean %s", ", ".join(means))


@cli.command
def main() -> None:
    """Run one replica of one system."""
    args = cli.parse(
        main,
        "checkpoint",
        structure=cli.option("extxyz file with the start structure"),
        frame=cli.option("frame of that file, counted from 0", 0, type=int),
        config=cli.option("configuration file"),
        seed=cli.option("seed of the random numbers, which numbers the replicas", 0, type=int),
        system=cli.option("key of dynamics.systems; may be left out if there is only one", None),
        out=cli.option("HDF5 file to write"),
    )
    settings = select_system(config.load(args.config, "dynamics"), args.system, args.config)
    input_checks.check_seed(args.seed)
    input_checks.check_output(args.out, args.structure)
    atoms = initial_conditions.read_structure(args.structure, args.frame, settings.repeat)
    field = np.array(settings.electric_field, float) if any(settings.electric_field) else None
    calculator = BornflowCalculator.from_checkpoint(
        args.checkpoint, field, settings.dtype, settings.fixed_charges
    )
    checkpoint = Path(args.checkpoint)
    # Each model has its own random numbers, so that models do not agree only because their noise is the same.
    seed = [args.seed, zlib.crc32((checkpoint / "parameters.msgpack").read_bytes())]
    model = hashlib.sha256()
    for name in ("config.yaml", "parameters.msgpack"):
        model.update((checkpoint / name).read_bytes())
    identity = run_identity(atoms, settings, args.seed, model.digest())
    provenance = {"model": args.checkpoint, "model_sha256": model.hexdigest(), "replica": args.seed}
    with sole_writer(args.out):
        simulate(atoms, calculator, settings, seed, Path(args.out), identity, provenance)


if __name__ == "__main__":
    main()
