"""The state of a run, and its phases: start or resume, advance by chunks of steps, finish.

Every chunk begins with a new neighbour list and a new integrator. A resumed run therefore has the same
rounding errors as an uninterrupted run, and its results are bit for bit equal.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.md.bussi import Bussi
from ase.md.verlet import VelocityVerlet

from .. import thermostats
from ..connectivity import count_molecules
from ..errors import BornflowError
from ..inference.calculator import BornflowCalculator
from ..io import frames
from ..progress import Meter
from . import initial_conditions
from .chunks import Chunks
from .recorder import Recorder
from .settings import SystemSettings
from .stability import StabilityMonitor

EQUILIBRATION_TIME = 50.0  # fs, the relaxation time of the Langevin thermostat


@dataclass
class RunState:
    """A run after `step` steps; steps up to 0 are equilibration and are not recorded.

    `atoms` have `calculator`. `heat` [eV] is the energy taken up from the thermostat so far.
    `removed_rotations` is decided once, for the start structure (`thermostats.rotations_to_remove`).
    """

    atoms: Atoms
    calculator: BornflowCalculator
    settings: SystemSettings
    rng: np.random.Generator
    removed_rotations: int
    monitor: StabilityMonitor
    recorder: Recorder
    chunks: Chunks
    step: int
    heat: float
    _begun: float = field(default_factory=time.perf_counter, init=False)
    _first: int = field(init=False)
    _evaluated: float = field(init=False)

    def __post_init__(self) -> None:
        self._first, self._evaluated = self.step, self.calculator.seconds

    @property
    def steps_done(self) -> int:
        """Steps so far, equilibration included."""
        return self.step + self.settings.equilibration

    @property
    def is_finished(self) -> bool:
        """Whether all steps are recorded."""
        return self.step >= self.settings.steps

    def advance(self, meter: Meter) -> None:
        """Make the steps of one chunk, recorded unless they are equilibration, and store it."""
        self.calculator.renew_neighbours()
        integrator = _integrator(self)
        end = self.settings.steps if self.step >= 0 else 0
        for _ in range(min(self.settings.part_steps, end - self.step)):
            self.step += 1
            temperature = self._make_step(integrator)
            meter.advance(note=f"{temperature:.0f} K")
        self.heat = integrator.transferred_energy
        self.chunks.append(self.recorder.flush(len(self.atoms)), self._stored())

    def _make_step(self, integrator: "Integrator") -> float:
        """One step, checked and recorded; its temperature [K]."""
        try:
            integrator.step()
        except BornflowError as error:
            raise self.monitor.model_failed(self.atoms, self.step, error) from error
        kinetic = self.atoms.get_kinetic_energy()
        conserved = self.calculator.results["energy"] + kinetic - integrator.transferred_energy
        temperature = thermostats.temperature(self.atoms, kinetic, self.removed_rotations)
        self.monitor.check(self.atoms, self.step, conserved, temperature)
        if self.step > 0:
            self.recorder.record(self.step, self.atoms, kinetic, conserved, temperature)
        return temperature

    def _stored(self) -> dict[str, Any]:
        """The state that a chunk stores, from which `start_or_resume` continues."""
        return {
            "step": self.step,
            "heat": self.heat,
            "rng": self.rng.bit_generator.state,
            **self.recorder.state,
            "dipole_change": self.calculator.dipole_change.tolist(),
            "room": self.calculator.neighbours.room,
            "watch": self.monitor.state,
            "positions": self.atoms.positions.copy(),
            "momenta": self.atoms.get_momenta(),
        }

    def timing(self) -> str | None:
        """Time per step in this process, in total and in the model; None without steps."""
        steps = self.step - self._first
        if not steps:
            return None
        total = 1e3 * (time.perf_counter() - self._begun) / steps
        model = 1e3 * (self.calculator.seconds - self._evaluated) / steps
        return f"{total:.2f} ms per step, of which the model takes {model:.2f} ms"


def start_or_resume(
    atoms: Atoms,
    calculator: BornflowCalculator,
    settings: SystemSettings,
    seed: int | Sequence[int],
    out: Path,
    identity: str,
) -> RunState:
    """The run that is written to `out`: after its last intact chunk, or with its initial conditions."""
    rng = np.random.default_rng(seed)
    chunks = Chunks(out.with_suffix(".parts"), identity)
    stored = chunks.resume()
    atoms = atoms.copy()
    atoms.calc = calculator
    monitor = StabilityMonitor(atoms, settings, out.with_suffix(".failed.extxyz"), stored and stored["watch"])
    in_field = calculator.electric_field is not None
    removed_rotations = thermostats.rotations_to_remove(atoms, keep_rotations=in_field)
    if in_field:
        initial_conditions.fix_centre_of_mass(atoms)
    if stored is None:
        initial_conditions.prepare(atoms, settings, rng, removed_rotations)
        stored = {"step": -settings.equilibration, "heat": 0.0, "dipole": [0.0] * 3, "current": None}
    else:
        _restore(stored, atoms, calculator, rng)
    recorder = Recorder(settings, stored, monitor.bonds)
    return RunState(
        atoms,
        calculator,
        settings,
        rng,
        removed_rotations,
        monitor,
        recorder,
        chunks,
        step=stored["step"],
        heat=stored["heat"],
    )


def _restore(
    stored: Mapping[str, Any], atoms: Atoms, calculator: BornflowCalculator, rng: np.random.Generator
) -> None:
    """Set atoms, random numbers and calculator to the state after a chunk."""
    atoms.positions = stored["positions"]
    atoms.set_momenta(stored["momenta"])
    rng.bit_generator.state = stored["rng"]
    calculator.dipole_change = np.array(stored["dipole_change"])
    calculator.neighbours.room = stored["room"]


class _Free(VelocityVerlet):
    """Velocity Verlet without a thermostat, so without transferred energy."""

    transferred_energy = 0.0


Integrator = thermostats.Langevin | Bussi | _Free


def _integrator(run: RunState) -> Integrator:
    """The integrator of the next chunk, with its thermostat."""
    atoms, settings, rng, rotations = run.atoms, run.settings, run.rng, run.removed_rotations
    timestep, temperature = settings.timestep, settings.temperature
    integrator: Integrator
    if run.step < 0:
        integrator = thermostats.Langevin(atoms, timestep, temperature, EQUILIBRATION_TIME, rng, rotations)
    elif settings.thermostat == "nve":
        integrator = _Free(atoms, timestep * units.fs)
    else:
        integrator = thermostats.bussi(atoms, timestep, temperature, settings.thermostat_time, rng, rotations)
    integrator.transferred_energy = run.heat
    return integrator


def finish(run: RunState, seed: int | Sequence[int], out: Path, provenance: Mapping[str, Any]) -> None:
    """Join the chunks to the HDF5 file `out`, with the settings and `provenance` as attributes."""
    atoms, settings = run.atoms, run.settings
    attributes = {
        "structure": str(atoms.info.get("structure", "")),
        "kind": frames.kind(atoms),
        "timestep [fs]": settings.timestep,
        "temperature [K]": settings.temperature,
        "frame_interval [steps]": settings.frame_interval,
        "velocity_interval [steps]": settings.velocity_interval,
        "electric_field [V/Å]": settings.electric_field,
        "volume [Å³]": float(atoms.get_volume()) if atoms.pbc.any() else float("nan"),
        "thermostat": settings.thermostat,
        "thermostat_time [fs]": settings.thermostat_time,
        "equilibration [steps]": settings.equilibration,
        "precision": settings.dtype,
        "fixed_charges": settings.fixed_charges,
        "n_molecules": count_molecules(atoms),
        "seed": seed,
        **provenance,
    }
    fixed = {"numbers": atoms.numbers, "masses": atoms.get_masses(), "cell": atoms.cell.array}
    run.chunks.join(out, attributes, fixed)
