"""Frames of runs as extxyz, with velocities: to look at, or to label what models meet.

python -m bornflow.dynamics.export --runs results/dynamics/bulk/*.h5 --every 20 --out met.extxyz
"""

import argparse
from pathlib import Path

from ase import Atoms, units

from ..cli import command
from ..errors import BornflowError
from ..io import frames
from . import masses
from .series import read_run


def frames_of(path: str | Path) -> list[Atoms]:
    """All frames of a run's HDF5 file, with velocities and masses, named by system, run and step.

    Raises BornflowError where there are no velocities of the steps of the frames.
    """
    path = Path(path)
    attributes, series = read_run(path, "positions", "velocities", "numbers", "cell", optional=["masses"])
    interval, between = (int(attributes[f"{of}_interval [steps]"]) for of in ("frame", "velocity"))
    if between < 1 or interval < 1 or interval % between:
        raise BornflowError(
            f"{path}: frame_interval is {interval} and velocity_interval {between} steps; a frame needs the "
            "velocities of its step, so that the first has to be a multiple of the second: make the run again"
        )
    ratio, recorded = interval // between, len(series["velocities"])
    if recorded < ratio * len(series["positions"]):
        raise BornflowError(
            f"{path} holds {recorded} sets of velocities, {ratio * len(series['positions'])} are expected of "
            f"{len(series['positions'])} frames: the file is damaged, make the run again"
        )
    own = masses.of_run(path, series)
    source = f"dynamics of {attributes.get('model', 'a model')} at {attributes['temperature [K]']:g} K"
    found = []
    for index, positions in enumerate(series["positions"]):
        periodic = attributes["kind"] == "bulk"
        atoms = Atoms(series["numbers"], positions, cell=series["cell"] if periodic else None, pbc=periodic)
        masses.carry(own, atoms)
        atoms.set_velocities(series["velocities"][ratio * (index + 1) - 1].astype(float) / units.fs)
        atoms.info = {
            "structure": f"{path.parent.name}-{path.stem}-{interval * (index + 1)}",
            "source": source,
            "kind": str(attributes["kind"]),
            "n_molecules": int(attributes["n_molecules"]),
        }
        found.append(atoms)
    return found


@command
def main() -> None:
    """Write frames of one or several runs to one file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--runs", nargs="+", required=True)
    parser.add_argument("--every", type=int, default=1, help="of the frames recorded")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    if args.every < 1:
        raise BornflowError(f"--every is {args.every}; 1 takes all frames, 2 every other")
    chosen = [atoms for path in args.runs for atoms in frames_of(path)[args.every - 1 :: args.every]]
    if not chosen:
        raise BornflowError(f"the runs hold fewer than {args.every} frames each")
    frames.reject_duplicate_names(chosen)
    frames.write(args.out, chosen)


if __name__ == "__main__":
    main()
