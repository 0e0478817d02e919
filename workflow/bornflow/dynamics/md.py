"""Molecular dynamics of a trained model, with the bound-charge current at every step.

    python -m bornflow.dynamics.md --checkpoint DIR --structure S.extxyz --config cfg.yaml \\
        --seed 0 --out run.h5

ASE's velocity Verlet with the Bussi thermostat; NVE runs have it while they equilibrate only. The
current is
    dM_α/dt = Σ_iβ Z[i, α, β] v_iβ.
A run that was killed goes on after its last finished part, bit for bit as if undisturbed.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet

from .. import canonical, frames, settings
from ..errors import BornflowError, command
from ..progress import Meter
from ..structures.bonds import molecules
from . import start
from .calculator import BornflowCalculator
from .series import Parts


def simulate(
    atoms: Atoms,
    calculator: BornflowCalculator,
    options: Mapping,
    seed: int,
    out: Path,
    identity: str = "",
) -> None:
    """Run `options` (an entry of `dynamics.systems`, completed) and write the series to `out`.

    The first `equilibration` steps are made with the thermostat and not recorded. Raises
    BornflowError when the run leaves physics: the step, the atom and what was found are named.
    """
    rng = np.random.default_rng(seed)
    parts = Parts(out.with_suffix(".parts"), identity)
    state = parts.resume()
    atoms = atoms.copy()
    atoms.calc = calculator
    if state is None:
        start.prepare(atoms, options, rng)
        state = {
            "step": -options["equilibration"],
            "heat": 0.0,
            "dipole": [0.0] * 3,
            "current": None,
        }
    else:
        atoms.positions = state["positions"]
        atoms.set_momenta(state["momenta"])
        rng.bit_generator.state = state["rng"]
    heat = state["heat"]
    recorder = _Recorder(options, np.array(state["dipole"]), state["current"])
    step, total = state["step"], options["steps"]
    span = options["equilibration"] + total
    speed = (options["timestep"] * 1e-6 * 86400, "ns/day")
    done = step + options["equilibration"]
    with Meter(f"md {out.stem}", span, "steps", done, speed) as meter:
        while step < total:
            calculator.renew_neighbours()  # so that a resumed run rounds like an undisturbed one
            dynamics = _integrator(atoms, options, rng, step)
            dynamics.transferred_energy = heat
            last = min(step + options["part_steps"], total if step >= 0 else 0)
            while step < last:
                step += 1
                dynamics.run(1)
                _watch(atoms, step, options)
                if step > 0:
                    recorder.record(step, atoms, dynamics)
                meter.advance(note=f"{canonical.temperature(atoms):.0f} K")
            heat = dynamics.transferred_energy
            series = recorder.flush(len(atoms))
            parts.add(
                series,
                {
                    "step": step,
                    "heat": heat,
                    "dipole": recorder.dipole.tolist(),
                    "current": None if recorder.current is None else recorder.current.tolist(),
                    "rng": rng.bit_generator.state,
                    "positions": atoms.positions.copy(),
                    "momenta": atoms.get_momenta(),
                },
            )
    attributes = {
        "structure": str(atoms.info.get("structure", "")),
        "kind": frames.kind(atoms),
        "timestep [fs]": options["timestep"],
        "temperature [K]": options["temperature"],
        "frame_interval [steps]": options["frame_interval"],
        "volume [Å³]": float(atoms.get_volume()) if atoms.pbc.any() else float("nan"),
        "thermostat": options["thermostat"],
        "n_molecules": molecules(atoms),
        "seed": seed,
    }
    parts.join(out, attributes, {"numbers": atoms.numbers, "cell": atoms.cell.array})


def _integrator(atoms: Atoms, options: Mapping, rng: np.random.Generator, step: int):
    """The thermostat; or none, for a recorded part that conserves energy."""
    if options["thermostat"] == "nve" and step >= 0:
        dynamics = VelocityVerlet(atoms, options["timestep"] * units.fs)
        dynamics.transferred_energy = 0.0
        return dynamics
    return canonical.bussi(
        atoms, options["timestep"], options["temperature"], options["thermostat_time"], rng
    )


def _watch(atoms: Atoms, step: int, options: Mapping) -> None:
    """Stop a run that has left physics."""
    temperature = canonical.temperature(atoms)
    limit = options["temperature_limit"]
    if not temperature < limit:
        fastest = int(np.argmax(np.linalg.norm(atoms.get_velocities(), axis=1)))
        raise BornflowError(
            f"step {step}: temperature {temperature:.0f} K is above {limit:g} K, atom {fastest} "
            f"({atoms.symbols[fastest]}) is the fastest; the model does not hold this structure: "
            "train it on more structures like it, or lower the time step"
        )


class _Recorder:
    """Collects the series of QUANTITIES between two parts."""

    def __init__(self, options: Mapping, dipole: np.ndarray, current: list | None):
        self.timestep, self.interval = options["timestep"], options["frame_interval"]
        self.dipole = dipole
        self.current = None if current is None else np.array(current)
        self._clear()

    def _clear(self) -> None:
        self._rows: list[tuple] = []
        self._frames: list[tuple[np.ndarray, np.ndarray]] = []

    def record(self, step: int, atoms: Atoms, dynamics) -> None:
        velocities = atoms.get_velocities() * units.fs  # Å/fs
        bec = atoms.calc.results["born_effective_charges"]
        current = np.einsum("iab,ib->a", bec, velocities)
        if self.current is not None:
            self.dipole = self.dipole + self.timestep * (current + self.current) / 2
        self.current = current
        potential, kinetic = atoms.calc.results["energy"], atoms.get_kinetic_energy()
        conserved = potential + kinetic - dynamics.transferred_energy
        self._rows.append(
            (*current, *self.dipole, potential, kinetic, conserved, canonical.temperature(atoms))
        )
        if step % self.interval == 0:
            self._frames.append((atoms.positions.copy(), velocities))

    def flush(self, n_atoms: int) -> dict[str, np.ndarray]:
        rows = np.array(self._rows, dtype=np.float64).reshape(-1, 10)
        frames_ = np.array(self._frames, dtype=np.float32).reshape(-1, 2, n_atoms, 3)
        self._clear()
        return {
            "current": rows[:, 0:3],
            "dipole": rows[:, 3:6],
            "potential_energy": rows[:, 6],
            "kinetic_energy": rows[:, 7],
            "conserved_energy": rows[:, 8],
            "temperature": rows[:, 9],
            "positions": frames_[:, 0],
            "velocities": frames_[:, 1],
        }


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
    section = settings.load(args.config, "dynamics")
    system = args.system or next(iter(section["systems"]))
    if system not in section["systems"]:
        raise BornflowError(f"system {system} is not among {', '.join(section['systems'])}")
    options = {key: value for key, value in section.items() if key != "systems"}
    options |= section["systems"][system]
    atoms = start.structure(args.structure, args.frame, options["repeat"])
    calculator = BornflowCalculator.from_checkpoint(args.checkpoint, dtype=options["dtype"])
    digest = hashlib.sha256(json.dumps([options, args.seed], sort_keys=True).encode())
    digest.update(atoms.positions.tobytes() + atoms.numbers.tobytes() + atoms.cell.array.tobytes())
    for name in ("config.yaml", "parameters.msgpack"):
        digest.update((Path(args.checkpoint) / name).read_bytes())
    simulate(atoms, calculator, options, args.seed, Path(args.out), digest.hexdigest())


if __name__ == "__main__":
    main()
