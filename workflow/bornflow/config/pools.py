"""How many structures a pool has (starts, candidates, selected ones), and the files that its jobs read."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..io import frames


def is_packed(pool: Mapping) -> bool:
    """Whether starts are packed from molecules; otherwise they are read from files."""
    return "contains" in pool


def is_sampled(pool: Mapping) -> bool:
    """Whether starts are relaxed and extended by dynamics."""
    return is_packed(pool) or pool["extend"]


def frames_in_files(pool: Mapping) -> int | None:
    """The structures in the files of a pool; None if one of them does not exist yet."""
    files = pool.get("files", [])
    try:
        if not all(Path(path).is_file() for path in files):
            return None
    except OSError:  # the name is too long
        return None
    return sum(_count(path, Path(path).stat().st_mtime_ns) for path in files)


@cache
def _count(path: str, changed: int) -> int:
    """The structures in a file, which several checks ask for; `changed` is when it was last written."""
    return frames.count(path)


def starts(pool: Mapping) -> int:
    """The number of sampling jobs of a pool."""
    if is_packed(pool):
        return pool["starts"]
    return (frames_in_files(pool) or 1) if pool["extend"] else 1


def most_candidates(pool: Mapping) -> int | None:
    """The number of candidates if no frame is left out; None if it is not known yet."""
    if not is_sampled(pool):
        return frames_in_files(pool)
    of_start = len(pool["temperatures"]) * (pool["steps"] // pool["interval"]) + pool["keep_relaxed"]
    return starts(pool) * of_start


def most_selected(pool: Mapping) -> int:
    """The number of structures that are selected if no frame is left out."""
    return (most_candidates(pool) or 1) if pool["select"] == "all" else pool["select"]


def files(full: Mapping) -> dict[str, dict[str, Any]]:
    """The files that the jobs of each pool read, for a complete configuration, and `most_selected`.

    Lists of files: `sources` (structures and molecules), `sampler`, `committee` and `descriptor` (models),
    `starts` and `left_out` (results of all starts). `candidates` is the file that structures are selected
    from.
    """
    structures, folder = full["structures"], f"{full['results']}/structures"
    listed = {}
    for name, pool in structures["pools"].items():
        molecules = [full["molecules"][part] for part in pool.get("contains", {})]
        numbers = range(starts(pool))
        listed[name] = {
            "sources": pool.get("files", []) + [entry["file"] for entry in molecules if "file" in entry],
            "sampler": _model_files(pool["sampler"]),
            "committee": _model_files({"model": pool.get("committee", [])}),
            "descriptor": _model_files(structures["selection"]["descriptor"]),
            "starts": [f"{folder}/starts/{name}/{number}.extxyz" for number in numbers],
            "left_out": [f"{folder}/starts/{name}/{number}.csv" for number in numbers],
            "candidates": f"{folder}/{'uncertain' if 'committee' in pool else 'pools'}/{name}.extxyz",
            "most_selected": most_selected(pool),
        }
    return listed


def _model_files(given: str | Mapping) -> list[str]:
    """The files of the models in a setting like {model: FOLDER} or {model: [FOLDER, FOLDER]}."""
    folders = [] if isinstance(given, str) else given.get("model", [])
    folders = [folders] if isinstance(folders, str) else folders
    return [f"{folder}/{name}" for folder in folders for name in ("config.yaml", "parameters.msgpack")]
