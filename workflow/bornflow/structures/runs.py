"""The sampling of one start: relaxation, then one run of molecular dynamics for each temperature.

Every part of a run begins with a reset calculator and a new integrator. A resumed job therefore gives the
same frames as an uninterrupted one.
"""

import hashlib
import json
import logging
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.optimize import FIRE
from jaxtyping import Float

from .. import geometry, thermostats
from ..io.files import atomic_write
from ..io.rejections import Rejection
from ..progress import Meter
from . import samplers
from .settings import PoolSettings

logger = logging.getLogger(__name__)

THERMOSTAT_TIME = 50.0  # fs
RELAXED_FORCE = 0.05  # eV/Å
PART = 100  # steps after which the state is stored, rounded up to a multiple of the interval

Candidate = tuple[str, Float[np.ndarray, "atoms 3"]]  # origin (`relaxed`, `300K-4`) and positions [Å]


@dataclass
class State:
    """What a resumed job continues from; it is stored after the relaxation and after each part of a run."""

    run: int = 0  # index of the temperature
    step: int = 0  # steps of this run
    rng: Mapping[str, Any] = field(default_factory=dict)
    relaxed: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))  # Å
    positions: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))  # Å
    momenta: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    candidates: list[Candidate] = field(default_factory=list)
    stopped: list[Rejection] = field(default_factory=list)


def sample_start(
    atoms: Atoms, settings: PoolSettings, seed: Sequence[int], name: str, path: Path
) -> tuple[list[Candidate], list[Rejection]]:
    """All frames of a start, and the runs that stopped because the sampler failed, with reasons.

    The state is stored in `path`, which the caller removes when the frames are written. A single atom has no
    runs, since it has no motion but that of the centre of mass. Raises BornflowError if the sampler cannot be
    made.
    """
    calculator = samplers.create(settings.sampler, atoms)
    identity = _identity(atoms, settings, seed)
    state = _load(path, identity) or State(rng=np.random.default_rng(seed).bit_generator.state)
    done = len(state.relaxed) and settings.relaxation_steps + state.run * settings.steps + state.step
    total = settings.relaxation_steps + len(settings.temperatures) * settings.steps
    with Meter(f"sampling {name}", total, "steps", done) as meter:
        if not len(state.relaxed) and not state.stopped:
            _relax(atoms, calculator, settings, name, state, meter)
            if len(atoms) == 1:
                state.run = len(settings.temperatures)
            _store(path, identity, state)
        while state.run < len(settings.temperatures):
            _advance(atoms, calculator, settings, name, state, meter)
            _store(path, identity, state)
    return state.candidates, state.stopped


def state_file(out: Path) -> Path:
    """The file of the state of the start whose frames will be written to `out`."""
    return out.with_name(f".{out.stem}.state.npz")


def _relax(
    atoms: Atoms, calculator: BaseCalculator, settings: PoolSettings, name: str, state: State, meter: Meter
) -> None:
    moved = _with_calculator(atoms, atoms.positions, calculator)
    relaxation = FIRE(moved, logfile=None)
    relaxation.attach(meter.advance, note="relaxation")
    try:
        relaxation.run(fmax=RELAXED_FORCE, steps=settings.relaxation_steps)
        _check_positions(moved)
    except MemoryError:
        raise
    except Exception as error:  # each sampler raises its own types
        _stop(state, settings, name, "in the relaxation", error)
        state.run = len(settings.temperatures)  # none of its runs is made
        meter.advance(meter.total - meter.done)
        return
    meter.advance(settings.relaxation_steps - meter.done)
    state.relaxed = moved.positions.copy()
    if settings.keep_relaxed:
        state.candidates.append(("relaxed", state.relaxed))


def _advance(
    atoms: Atoms, calculator: BaseCalculator, settings: PoolSettings, name: str, state: State, meter: Meter
) -> None:
    """One part of the present run; a sampler that fails ends this run."""
    temperature = float(settings.temperatures[state.run])
    rng = np.random.default_rng()
    rng.bit_generator.state = state.rng
    moved = _with_calculator(atoms, state.positions if state.step else state.relaxed, calculator)
    relaxed = atoms.copy()
    relaxed.positions = state.relaxed
    rotations = thermostats.rotations_to_remove(relaxed)
    if state.step:
        moved.set_momenta(state.momenta)
    else:
        # In a relaxed structure half of the kinetic energy becomes potential energy: start twice as hot.
        thermostats.thermalise(moved, 2 * temperature, rng, rotations)
    dynamics = thermostats.bussi(moved, settings.timestep, temperature, THERMOSTAT_TIME, rng, rotations)
    part = settings.interval * -(-PART // settings.interval)
    end = min(state.step + part, settings.steps)
    try:
        while state.step < end:
            dynamics.step()
            _check_positions(moved)
            state.step += 1
            meter.advance(note=f"{thermostats.temperature(moved, removed_rotations=rotations):.0f} K")
            if state.step % settings.interval == 0:
                index = state.step // settings.interval - 1
                state.candidates.append((f"{temperature:g}K-{index}", moved.positions.copy()))
    except MemoryError:
        raise
    except Exception as error:
        _stop(state, settings, f"{name}-{temperature:g}K", f"in step {state.step + 1}", error)
        meter.advance(settings.steps - state.step)
        state.step = end = settings.steps
    state.rng = rng.bit_generator.state
    state.positions, state.momenta = moved.positions.copy(), moved.get_momenta()
    if state.step == settings.steps:
        state.run, state.step = state.run + 1, 0


def _check_positions(atoms: Atoms) -> None:
    """Raise BornflowError for positions that are not finite or too far away."""
    geometry.check(atoms.positions, atoms.cell.array if atoms.pbc.any() else None)


def _stop(state: State, settings: PoolSettings, name: str, where: str, error: Exception) -> None:
    """Note that a run stopped because the sampler failed."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    reason = f"stopped: {samplers.describe(settings.sampler)} failed {where}: {lines[0]}"
    state.stopped.append((name, reason))
    logger.warning("%s %s", name, reason)


def _with_calculator(atoms: Atoms, positions: np.ndarray, calculator: BaseCalculator) -> Atoms:
    moved = atoms.copy()
    moved.positions = positions
    getattr(calculator, "reset", lambda: None)()
    moved.calc = calculator
    return moved


def _identity(atoms: Atoms, settings: PoolSettings, seed: Sequence[int]) -> str:
    """A hash of everything that a state depends on."""
    structure = [
        atoms.get_chemical_symbols(),
        atoms.positions.tolist(),
        atoms.cell.tolist(),
        dict(atoms.info),
        samplers.identity(settings.sampler),
    ]
    kept = {
        key: value for key, value in asdict(settings).items() if key not in ("select", "committee", "starts")
    }
    text = json.dumps([structure, kept, list(seed)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _store(path: Path, identity: str, state: State) -> None:
    origins = [origin for origin, _ in state.candidates]
    words = [identity, state.run, state.step, state.rng, origins, state.stopped]
    frames = np.array([positions for _, positions in state.candidates])
    with atomic_write(path) as scratch:
        np.savez(
            scratch,
            words=np.array(json.dumps(words)),
            frames=frames,
            relaxed=state.relaxed,
            positions=state.positions,
            momenta=state.momenta,
        )


def _load(path: Path, identity: str) -> State | None:
    """The stored state; None if there is none of this start and these settings."""
    try:
        with np.load(path) as stored:
            kept, run, step, rng, origins, stopped = json.loads(str(stored["words"]))
            if kept != identity:
                return None
            return State(
                run,
                step,
                rng,
                stored["relaxed"],
                stored["positions"],
                stored["momenta"],
                list(zip(origins, stored["frames"], strict=True)),
                [(name, reason) for name, reason in stopped],
            )
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
