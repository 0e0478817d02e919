"""extxyz files of frames: what goes in comes out, what is not understood is an error.

water = frames.read("resources/labels/water.extxyz")
frames.label(water[0], "bec")  # [N, 3, 3], e; None where it is missing
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from ..errors import BornflowError
from ..identity import kind, name, place
from . import extxyz
from .extxyz import count
from .normalise import keys_of, normalise, say
from .quantities import (
    BEC,
    ENERGY,
    FORCES,
    IDENTITY,
    LABELS,
    MAPPED,
    TEXTS,
    attach,
    bare,
    label,
)

__all__ = [
    "BEC",
    "ENERGY",
    "FORCES",
    "IDENTITY",
    "LABELS",
    "MAPPED",
    "TEXTS",
    "attach",
    "bare",
    "count",
    "kind",
    "label",
    "name",
    "place",
    "read",
    "read_all",
    "reject_twins",
    "write",
]


def read(
    path: str | Path,
    keys: Mapping[str, str] | None = None,
    sources: set[str] | None = None,
    called: str | None = None,
) -> list[Atoms]:
    """Read every frame of an extxyz file, its labels brought under bornflow's keys.

    `keys` maps bornflow's key to the file's, e.g. {"energy": "energy_rPBE", "bec": "apt"}; a frame without
    that key has no such label. Keys that are not mapped are bornflow's own or, where those are missing, a
    known name of another program (`dialects`), which is reported. The keys of the file that labels were taken
    from are added to `sources`. Frames without a name are `called` that, or like the file, and numbered.
    Raises BornflowError for whatever is not understood, with the file, frame and line.
    """
    path = Path(path)
    raw = list(extxyz.read(path))
    if not raw:
        raise BornflowError(f"{path} holds no structures")
    taken, unused = keys_of(path, raw, keys or {}), set()
    sources = set() if sources is None else sources
    for frame in raw:  # of files that were read before
        sources.update(pair.partition("=")[2] for pair in frame.info.get(MAPPED, "").split())
    found = [
        normalise(frame, f"{called or _stem(path)}-{index}", own, sources, unused)
        for index, (frame, own) in enumerate(zip(raw, taken, strict=True))
    ]
    if unused:
        say(f"{path}: {', '.join(sorted(unused))} are not used; training.loss weighs labels")
    return found


def read_all(
    paths: Iterable[str | Path],
    keys: Mapping[str, str] | None = None,
    sources: set[str] | None = None,
    allow_empty: bool = False,
    unique: bool = False,
) -> list[Atoms]:
    """The frames of several files; what is unnamed in files of one name is called after their folders too.

    With `allow_empty` empty files, which a job that rejected all has written, are passed over. With `unique`
    two frames of one name are an error, which names both.
    """
    paths = [Path(path) for path in paths]
    names = _file_names(paths)
    found, places = [], []
    for path, called in zip(paths, names, strict=True):
        if allow_empty and path.exists() and not path.stat().st_size:
            continue
        frames = read(path, keys, sources, called)
        found += frames
        places += [f"{path}, frame {index}" for index in range(len(frames))]
    if unique:
        reject_twins(found, places)
    return found


def _stem(path: Path) -> str:
    """The name of a file without the endings of its format and compression."""
    return re.sub(r"(\.(extxyz|xyz))?(\.(gz|bz2|xz))?$", "", path.name)


def _file_names(paths: Sequence[Path]) -> list[str]:
    """A name for each file, with as many of its folders as tell it from others of its name."""
    names = [_stem(path) for path in paths]
    depth = 1
    while (twice := {name for name, times in Counter(names).items() if times > 1}) and depth < 20:
        depth += 1
        names = [
            "-".join(part.strip("/") for part in (*path.absolute().parts[-depth:-1], _stem(path)))
            if name in twice
            else name
            for path, name in zip(paths, names, strict=True)
        ]
    return names


def reject_twins(frames: Sequence[Atoms], places: Sequence[str] | None = None) -> None:
    """Raise BornflowError where two frames have one name, with the `places` that they are from."""
    seen: dict[str, str] = {}
    for index, atoms in enumerate(frames):
        place = places[index] if places else f"frame {index}"
        if name(atoms) in seen:
            raise BornflowError(
                f"two structures are called {name(atoms)}: {seen[name(atoms)]} and {place}; give each a name "
                "of its own (structure=… in the comment line)"
            )
        seen[name(atoms)] = place


def write(path: str | Path, frames: Sequence[Atoms]) -> None:
    """Write frames as extxyz, whole or not at all; they read back the same. No frame makes an empty file."""
    extxyz.write(path, [_labelled(atoms) for atoms in frames], TEXTS)


def _labelled(atoms: Atoms) -> Atoms:
    """A copy that holds its labels under their keys, after what else it holds."""
    new = atoms.copy()
    for key, quantity in LABELS.items():
        if atoms.calc is not None and (value := atoms.calc.results.get(key)) is not None:
            if quantity.shape is None:
                new.info[key] = float(value)
            else:
                new.arrays[key] = np.asarray(value, float).reshape(len(atoms), -1)
    return new
