"""How many structures a pool has (starts, candidates, selected ones), and the files that its jobs read.

Functions take a complete configuration, or one with its sections `structures` and `results` only.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..io import frames
from . import registry

PACKINGS = 2  # starts of a pool of packings, unless it has `starts`


def is_packed(pool: Mapping) -> bool:
    """Whether starts are packed from molecules; otherwise they are read from files."""
    return "contains" in pool


def is_sampled(pool: Mapping) -> bool:
    """Whether starts are relaxed and extended by dynamics."""
    return is_packed(pool) or pool["extend"]


def source_file(full: Mapping, name: str) -> str:
    """The file of the structures of a source."""
    return f"{full['results']}/structures/sources/{name}.extxyz"


def input_files(full: Mapping, pool: Mapping) -> list[str]:
    """The files of structures that a pool reads."""
    return [source_file(full, pool["source"])] if "source" in pool else list(pool.get("files", []))


def frames_in_files(full: Mapping, pool: Mapping) -> int | None:
    """The structures in the files of a pool; None if one of them does not exist yet."""
    if "source" in pool:
        sources = registry.read(full["structures"]["sources"])
        return sources[pool["source"]].structures if pool["source"] in sources else None
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


def starts(full: Mapping, name: str) -> int:
    """The number of sampling jobs of a pool; 0 if it consists of other pools."""
    pool = full["structures"]["pools"][name]
    if "pools" in pool:
        return 0
    if is_packed(pool):
        return pool.get("starts", PACKINGS)
    if not pool["extend"]:
        return 1
    available = frames_in_files(full, pool) or 1
    return min(pool.get("starts", available), available)


def most_candidates(full: Mapping, name: str) -> int | None:
    """The number of candidates if no frame is left out; None if it is not known yet."""
    pool = full["structures"]["pools"][name]
    if "pools" in pool:
        members = [most_candidates(full, member) for member in pool["pools"]]
        return None if None in members else sum(filter(None, members))
    if not is_sampled(pool):
        return frames_in_files(full, pool)
    of_start = len(pool["temperatures"]) * (pool["steps"] // pool["interval"]) + pool["keep_relaxed"]
    return starts(full, name) * of_start


def most_selected(full: Mapping, name: str) -> int:
    """The number of structures that are selected if no frame is left out."""
    select = full["structures"]["pools"][name]["select"]
    return (most_candidates(full, name) or 1) if select == "all" else select


def labelled(full: Mapping) -> list[str]:
    """The pools whose structures are selected and labelled: all that are not part of another one."""
    table = full["structures"]["pools"]
    members = {member for pool in table.values() for member in pool.get("pools", [])}
    return [name for name in table if name not in members]


def section(full: Mapping, name: str) -> dict:
    """The settings that a start of a pool reads, nested as in the complete configuration."""
    structures = full["structures"]
    pool = structures["pools"][name]
    # These do not change the candidates of a start.
    unused = ("committee", "select", "source", *(("starts", "relax") if is_packed(pool) else ()))
    kept = {key: value for key, value in pool.items() if key not in unused}
    files = {} if is_packed(pool) else {"files": input_files(full, pool)}
    described = {part: full["molecules"][part] for part in pool.get("contains", {})}
    shared = {key: structures[key] for key in ("seed", "gap")}
    return {"structures": {**shared, "pools": {name: kept | files}}, "molecules": described}


def files(full: Mapping, folder: str | None = None) -> dict[str, dict[str, Any]]:
    """The files that the jobs of each pool read, for a complete configuration, and `most_selected`.

    `folder` is where the jobs write, RESULTS/structures unless given.

    Lists of files: `sources` (structures and molecules), `sampler`, `committee` and `descriptor` (models),
    `starts` (results of all starts, or candidates of the pools that it consists of) and `left_out`.
    `candidates` is the file that structures are selected from.
    """
    structures, folder = full["structures"], folder or f"{full['results']}/structures"
    listed = {}
    for name, pool in structures["pools"].items():
        molecules = [full["molecules"][part] for part in pool.get("contains", {})]
        numbers = range(starts(full, name))
        parts = [f"{folder}/pools/{member}.extxyz" for member in pool.get("pools", [])]
        listed[name] = {
            "sources": input_files(full, pool) + [entry["file"] for entry in molecules if "file" in entry],
            "sampler": model_files(pool["sampler"]),
            "committee": model_files({"model": pool.get("committee", [])}),
            "descriptor": model_files(structures["selection"]["descriptor"]),
            "starts": parts or [f"{folder}/starts/{name}/{number}.extxyz" for number in numbers],
            "left_out": [f"{folder}/starts/{name}/{number}.csv" for number in numbers],
            "candidates": f"{folder}/{'uncertain' if 'committee' in pool else 'pools'}/{name}.extxyz",
            "most_selected": most_selected(full, name),
        }
    return listed


def model_files(given: str | Mapping) -> list[str]:
    """The files of the models in a setting like {model: FOLDER} or {model: [FOLDER, FOLDER]}."""
    folders = [] if isinstance(given, str) else given.get("model", [])
    folders = [folders] if isinstance(folders, str) else folders
    return [f"{folder}/{name}" for folder in folders for name in ("config.yaml", "parameters.msgpack")]
