"""How many structures a pool has: starts, candidates at most, and structures that are selected."""

from collections.abc import Mapping
from pathlib import Path

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
    return sum(map(frames.count, files)) if all(Path(path).is_file() for path in files) else None


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
