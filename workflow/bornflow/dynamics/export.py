"""Frames of runs as extxyz with velocities, to view them or to label structures that a model reached.

python -m bornflow.dynamics.export --runs results/dynamics/bulk/*.h5 --every 20 --out met.extxyz
"""

from pathlib import Path

from ase import Atoms, units

from .. import cli
from ..errors import BornflowError
from ..io import frames
from . import masses
from .series import read_run


def read_frames(path: str | Path) -> list[Atoms]:
    """All frames of a run's HDF5 file, with velocities and masses, named by system, run and step.

    Raises BornflowError if the velocities at the steps of the frames were not recorded.
    """
    path = Path(path)
    attributes, series = read_run(path, "positions", "velocities", "numbers", "cell", optional=["masses"])
    frame_interval, velocity_interval = (
        int(attributes[f"{name}_interval [steps]"]) for name in ("frame", "velocity")
    )
    if velocity_interval < 1 or frame_interval < 1 or frame_interval % velocity_interval:
        raise BornflowError(
            f"{path}: frame_interval is {frame_interval} and velocity_interval {velocity_interval} steps; "
            "the first must be a multiple of the second, since a frame needs the velocities at its step: "
            "make the run again"
        )
    ratio, n_frames = frame_interval // velocity_interval, len(series["positions"])
    if len(series["velocities"]) < ratio * n_frames:
        raise BornflowError(
            f"{path} contains {len(series['velocities'])} sets of velocities, {ratio * n_frames} expected "
            f"for {n_frames} frames: the file is damaged, make the run again"
        )
    periodic = attributes["kind"] == "bulk"
    run_masses = masses.from_series(path, series)
    source = f"dynamics of {attributes.get('model', 'a model')} at {attributes['temperature [K]']:g} K"
    structures = []
    for index, positions in enumerate(series["positions"]):
        atoms = Atoms(series["numbers"], positions, cell=series["cell"] if periodic else None, pbc=periodic)
        masses.assign(run_masses, atoms)
        atoms.set_velocities(series["velocities"][ratio * (index + 1) - 1].astype(float) / units.fs)
        atoms.info = {
            "structure": f"{path.parent.name}-{path.stem}-{frame_interval * (index + 1)}",
            "source": source,
            "kind": str(attributes["kind"]),
            "n_molecules": int(attributes["n_molecules"]),
        }
        structures.append(atoms)
    return structures


@cli.command
def main() -> None:
    """Write frames of one or several runs to one file."""
    args = cli.parse(
        main,
        "runs",
        every=cli.option("take every n-th of the recorded frames", 1, type=int),
        out=cli.option("extxyz file to write"),
    )
    if args.every < 1:
        raise BornflowError(f"--every is {args.every}; 1 selects all frames, 2 every second frame")
    selected = [atoms for path in args.runs for atoms in read_frames(path)[args.every - 1 :: args.every]]
    if not selected:
        raise BornflowError(f"the runs have fewer than {args.every} frames each; make --every smaller")
    frames.reject_duplicate_names(selected)
    frames.write(args.out, selected)


if __name__ == "__main__":
    main()
