"""extxyz files of structures and their labels, with one set of keys for all stages.

    water = frames.read("resources/labels/water.extxyz")
    frames.label(water[0], "bec")  # [atoms, 3, 3] in e; None where it is missing

Written files are read back unchanged. Content that is not understood is an error; it is never dropped or
guessed. This module is the interface to `extxyz` and `extxyz_writer` (files), `label_keys` and `normalise`
(keys of other programs) and `quantities` (the table of labels).
"""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from ..errors import BornflowError
from ..identity import kind, name, name_and_origin
from . import extxyz, extxyz_writer
from .extxyz import count
from .label_keys import choose_label_keys
from .normalise import normalise
from .quantities import (
    BEC,
    ENERGY,
    FORCES,
    IDENTITY_KEYS,
    LABELS,
    MAPPED_KEYS,
    TEXT_KEYS,
    label,
    with_labels,
    without_labels,
)

__all__ = [
    "BEC",
    "ENERGY",
    "FORCES",
    "IDENTITY_KEYS",
    "LABELS",
    "MAPPED_KEYS",
    "TEXT_KEYS",
    "count",
    "kind",
    "label",
    "name",
    "name_and_origin",
    "read",
    "read_all",
    "reject_duplicate_names",
    "with_labels",
    "without_labels",
    "write",
]

logger = logging.getLogger(__name__)


def read(
    path: str | Path,
    keys: Mapping[str, str] | None = None,
    sources: set[str] | None = None,
    default_name: str | None = None,
) -> list[Atoms]:
    """Read every frame of an extxyz file and bring its labels under bornflow's keys.

    `keys` maps bornflow's key to the file's, e.g. {"energy": "energy_rPBE", "bec": "apt"}; a frame without
    that key has no such label. Other labels are taken from bornflow's own key or, if the file has none, from
    a known key of another program (`dialects`), which is reported. The keys that labels were taken from are
    added to `sources`. Frames without a name get `default_name`, or the name of the file, and a number.
    Raises BornflowError, with file, frame and line, for content that is not understood.
    """
    path = Path(path)
    raw_frames = list(extxyz.read(path))
    if not raw_frames:
        raise BornflowError(f"{path} contains no structures; give a file with at least one")
    label_keys = choose_label_keys(path, raw_frames, keys or {})
    sources = set() if sources is None else sources
    for frame in raw_frames:  # already read and written by bornflow: energy=dft_energy bec=apt
        sources.update(pair.partition("=")[2] for pair in frame.info.get(MAPPED_KEYS, "").split())
    unused_weights: set[str] = set()
    spins: set[str] = set()
    structures = [
        normalise(frame, f"{default_name or _stem(path)}-{index}", own, sources, unused_weights, spins)
        for index, (frame, own) in enumerate(zip(raw_frames, label_keys, strict=True))
    ]
    if unused_weights:
        names = ", ".join(sorted(unused_weights))
        logger.warning(f"{path}: the weights {names} are not used; set weights of labels in training.loss")
    if spins:
        logger.warning(
            f"{path}: {', '.join(sorted(spins))}: this spin is not read, since it may mean S, 2S or 2S + 1; "
            "write it as multiplicity=2S+1"
        )
    return structures


def read_all(
    paths: Iterable[str | Path],
    keys: Mapping[str, str] | None = None,
    sources: set[str] | None = None,
    allow_empty: bool = False,
    unique: bool = False,
) -> list[Atoms]:
    """Read the frames of several files, one file after the other; `keys` and `sources` as in `read`.

    Frames without a name are named after their file, and after its folders if files have the same name. With
    `allow_empty` empty files are skipped: a job that rejected all structures writes one. With `unique` two
    frames with the same name raise BornflowError.
    """
    files = [Path(path) for path in paths]
    structures, places = [], []
    for path, default_name in zip(files, file_names(files), strict=True):
        if allow_empty and path.exists() and not path.stat().st_size:
            continue
        found = read(path, keys, sources, default_name)
        structures += found
        places += [f"{path}, frame {index}" for index in range(len(found))]
    if unique:
        reject_duplicate_names(structures, places)
    return structures


def _stem(path: Path) -> str:
    """The name of a file without the endings of format and compression: `set` for `set.extxyz.gz`."""
    return re.sub(r"(\.(extxyz|xyz))?(\.(gz|bz2|xz))?$", "", path.name)


def file_names(paths: Sequence[Path]) -> list[str]:
    """A name for each file, with enough of its folders to distinguish it from the others.

    `a/train.xyz` and `b/train.xyz` become `a-train` and `b-train`.
    """
    names = [_stem(path) for path in paths]
    depth = 1
    while (repeated := {name for name, times in Counter(names).items() if times > 1}) and depth < 20:
        depth += 1
        names = [
            _name_with_folders(path, depth) if name in repeated else name
            for path, name in zip(paths, names, strict=True)
        ]
    return names


def _name_with_folders(path: Path, depth: int) -> str:
    """The last `depth` names of a path, joined by dashes."""
    folders = path.absolute().parts[-depth:-1]
    return "-".join(part.strip("/") for part in (*folders, _stem(path)))


def reject_duplicate_names(structures: Sequence[Atoms], places: Sequence[str] | None = None) -> None:
    """Raise BornflowError if two structures have one name; `places` are the file and frame of each."""
    seen: dict[str, str] = {}
    for index, atoms in enumerate(structures):
        place = places[index] if places else f"frame {index}"
        if name(atoms) in seen:
            raise BornflowError(
                f"two structures are called {name(atoms)}: {seen[name(atoms)]} and {place}; give each "
                "its own name (structure=… in the comment line)"
            )
        seen[name(atoms)] = place


def write(path: str | Path, structures: Sequence[Atoms]) -> None:
    """Write structures as extxyz, completely or not at all; they are read back unchanged.

    An empty list makes an empty file.
    """
    extxyz_writer.write(path, [_with_stored_labels(atoms) for atoms in structures], TEXT_KEYS)


def _with_stored_labels(atoms: Atoms) -> Atoms:
    """A copy with the calculator's labels in `info` and `arrays`, after everything else."""
    new = atoms.copy()
    for key, quantity in LABELS.items():
        if atoms.calc is not None and (value := atoms.calc.results.get(key)) is not None:
            if quantity.shape is None:
                new.info[key] = float(value)
            else:
                new.arrays[key] = np.asarray(value, float).reshape(len(atoms), -1)
    return new
