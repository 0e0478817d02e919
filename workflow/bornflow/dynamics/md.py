"""Molecular dynamics of a trained model, with the bound-charge current at every step.

    python -m bornflow.dynamics.md --checkpoint DIR --structure S.extxyz --config cfg.yaml \\
        --seed 0 --out run.h5

ASE's velocity Verlet, while a run equilibrates with a Langevin thermostat of every atom, then with that of
Bussi, which hardly touches a motion, or none (nve). The current is
    dM_α/dt = Σ_iβ Z[i, α, β] v_iβ.
A run that was killed goes on after its last finished part, bit for bit as if undisturbed.
"""

import argparse
import hashlib
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet

from .. import config, constraints, thermostats
from ..cli import command
from ..connectivity import molecules
from ..errors import BornflowError
from ..inference.calculator import BornflowCalculator
from ..io import frames
from ..progress import Meter
from . import request, start
from .recorder import Recorder
from .series import Parts, read_run
from .watch import Watch

EQUILIBRATION_TIME = 50.0  # fs


def simulate(
    atoms: Atoms,
    calculator: BornflowCalculator,
    options: Mapping,
    seed: int | Sequence[int],
    out: Path,
    identity: str = "",
    provenance: Mapping | None = None,
) -> None:
    """Run `options` (an entry of `dynamics.systems`, completed) and write the series to `out`.

    What is in `provenance` becomes attributes of the file. A run of the same `identity` goes on where it was.
    The first `equilibration` steps are not recorded. Raises BornflowError for constraints, and when the run
    leaves physics: the step, the atom and what was found are named.
    """
    constraints.reject(atoms, frames.name(atoms), "a run")
    rng = np.random.default_rng(seed)
    parts = Parts(out.with_suffix(".parts"), identity)
    state = parts.resume()
    atoms = atoms.copy()
    atoms.calc = calculator
    watch = Watch(atoms, options, out.with_suffix(".failed.extxyz"), state and state["watch"])
    in_field = calculator.electric_field is not None
    rotations_out = thermostats.rotations(atoms, turns=in_field)
    if in_field:
        start.hold_centre(atoms)
    if state is None:
        start.prepare(atoms, options, rng, rotations_out)
        state = {"step": -options["equilibration"], "heat": 0.0, "dipole": [0.0] * 3, "current": None}
    else:
        atoms.positions = state["positions"]
        atoms.set_momenta(state["momenta"])
        rng.bit_generator.state = state["rng"]
        calculator.dipole_change = np.array(state["dipole_change"])
        calculator.neighbours.room = state["room"]
    heat, step, total = state["heat"], state["step"], options["steps"]
    recorder = Recorder(options, state, watch.bonds)
    span = options["equilibration"] + total
    speed = (options["timestep"] * 1e-6 * 86400, "ns/day")
    done = step + options["equilibration"]
    begun, evaluated, first = time.perf_counter(), calculator.seconds, step
    with Meter(f"md {out.stem}", span, "steps", done, speed) as meter:
        while step < total:
            calculator.renew_neighbours()  # so that a resumed run rounds like an undisturbed one
            dynamics = _integrator(atoms, options, rng, step, rotations_out)
            dynamics.transferred_energy = heat
            last = min(step + options["part_steps"], total if step >= 0 else 0)
            while step < last:
                step += 1
                try:
                    dynamics.step()
                except BornflowError as error:
                    raise watch.fail(atoms, step, error) from error
                kinetic = atoms.get_kinetic_energy()
                conserved = calculator.results["energy"] + kinetic - dynamics.transferred_energy
                temperature = thermostats.temperature(atoms, kinetic, rotations_out)
                watch.look(atoms, step, conserved, temperature)
                if step > 0:
                    recorder.record(step, atoms, kinetic, conserved, temperature)
                meter.advance(note=f"{temperature:.0f} K")
            heat = dynamics.transferred_energy
            state = {"step": step, "heat": heat, "rng": rng.bit_generator.state, **recorder.state}
            state |= {"dipole_change": calculator.dipole_change.tolist(), "room": calculator.neighbours.room}
            state["watch"] = watch.state
            state |= {"positions": atoms.positions.copy(), "momenta": atoms.get_momenta()}
            parts.add(recorder.flush(len(atoms)), state)
    if step > first:
        whole, model = time.perf_counter() - begun, calculator.seconds - evaluated
        each = [1e3 * seconds / (step - first) for seconds in (whole, model)]
        print(f"{each[0]:.2f} ms a step, {each[1]:.2f} ms of it the model", file=sys.stderr)
    attributes = {
        "structure": str(atoms.info.get("structure", "")),
        "kind": frames.kind(atoms),
        "timestep [fs]": options["timestep"],
        "temperature [K]": options["temperature"],
        "frame_interval [steps]": options["frame_interval"],
        "velocity_interval [steps]": options["velocity_interval"],
        "electric_field [V/Å]": options["electric_field"],
        "volume [Å³]": float(atoms.get_volume()) if atoms.pbc.any() else float("nan"),
        "thermostat": options["thermostat"],
        "thermostat_time [fs]": options["thermostat_time"],
        "equilibration [steps]": options["equilibration"],
        "precision": options["dtype"],
        "fixed_charges": options["fixed_charges"],
        "n_molecules": molecules(atoms),
        "seed": seed,
        **(provenance or {}),
    }
    constant = {"numbers": atoms.numbers, "masses": atoms.get_masses(), "cell": atoms.cell.array}
    parts.join(out, attributes, constant)
    _, temperatures = read_run(out, "temperature", optional=["bond_temperature"])
    means = ", ".join(
        f"{name.replace('_', ' ')} {values.mean():.0f} K" for name, values in temperatures.items()
    )
    print(f"mean {means}", file=sys.stderr)


def _integrator(atoms: Atoms, options: Mapping, rng: np.random.Generator, step: int, rotations_out: int):
    """What moves the atoms in the part of a run that begins after `step`."""
    timestep, temperature = options["timestep"], options["temperature"]
    if step < 0:
        return thermostats.Langevin(atoms, timestep, temperature, EQUILIBRATION_TIME, rng, rotations_out)
    if options["thermostat"] == "nve":
        dynamics = VelocityVerlet(atoms, timestep * units.fs)
        dynamics.transferred_energy = 0.0
        return dynamics
    return thermostats.bussi(atoms, timestep, temperature, options["thermostat_time"], rng, rotations_out)


@command
def main() -> None:
    """Run one replica of one system."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--structure", required=True, help="extxyz; its frame number --frame")
    parser.add_argument("--frame", type=int, default=0)
    parser.add_argument("--config", required=True)
    parser.add_argument("--system", help="a key of dynamics.systems; default: the only one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    section = config.load(args.config, "dynamics")
    systems = section["systems"]
    if args.system is None and len(systems) != 1:
        raise BornflowError(f"--system is needed: {args.config} has {', '.join(systems) or 'none'}")
    system = args.system or next(iter(systems))
    if system not in systems:
        raise BornflowError(f"system {system} is not among {', '.join(systems) or 'those of ' + args.config}")
    options = {key: value for key, value in section.items() if key != "systems"}
    options |= systems[system]
    request.check_seed(args.seed)
    request.check_output(args.out, args.structure)
    atoms = start.structure(args.structure, args.frame, options["repeat"])
    field = np.array(options["electric_field"], float) if any(options["electric_field"]) else None
    calculator = BornflowCalculator.from_checkpoint(
        args.checkpoint, field, options["dtype"], options["fixed_charges"]
    )
    # Models have random numbers of their own, so that what they agree on is no accident of one thermostat.
    seed = [args.seed, zlib.crc32((Path(args.checkpoint) / "parameters.msgpack").read_bytes())]
    model = hashlib.sha256()
    for name in ("config.yaml", "parameters.msgpack"):
        model.update((Path(args.checkpoint) / name).read_bytes())
    identity = request.identity(atoms, options, args.seed, model.digest())
    provenance = {"model": args.checkpoint, "model_sha256": model.hexdigest(), "replica": args.seed}
    simulate(atoms, calculator, options, seed, Path(args.out), identity, provenance)


if __name__ == "__main__":
    main()
