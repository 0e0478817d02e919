"""Configurations: defaults, checks and the sections that stages read.

`workflow/schemas/config.schema.yaml` describes every key with its type, unit, range and default.
A configuration file says only what differs; unknown keys, wrong types and impossible values are
rejected with the key, the value found and what is allowed.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..errors import BornflowError
from ..io import frames, strict_yaml
from .checks import contradictions
from .jobs import too_many
from .names import collisions
from .schema import filled, reject


def complete(config: Mapping, name: str = "config") -> dict:
    """A whole configuration with every default filled in, or BornflowError naming what is wrong.

    Sections are compared with each other, and with the files of structures that are there.
    """
    full = filled(config, name)
    reject([*collisions(full), *contradictions(full), *too_many(full)], name)
    reject([*_too_few_frames(full)], name)
    return full


def _too_few_frames(full: Mapping) -> Iterator[str]:
    """Words on files that hold fewer structures than are asked for; files that are not there yet may do."""
    for name, pool in full["structures"]["pools"].items():
        files = pool.get("files", [])
        if files and all(Path(path).is_file() for path in files):
            held = sum(map(frames.count, files))
            if held < pool["select"]:
                yield (
                    f"structures.pools.{name}.select: {pool['select']} asked for, its files hold {held} "
                    "structures; select fewer, or add files"
                )
    for name, system in full["dynamics"]["systems"].items():
        if Path(system["structure"]).is_file():
            held = frames.count(system["structure"])
            if held <= system["frame"]:
                yield (
                    f"dynamics.systems.{name}.frame: {system['frame']} asked for, {system['structure']} "
                    f"holds {held} structures, counted from 0"
                )


def check_files(paths: Iterable[str | Path]) -> None:
    """Find what Snakemake loses or guesses when it reads these configuration files.

    Of two sections of one name it keeps the last one, and `1:30` is 90 to it. Raises BornflowError with
    file and line. Pipes, which cannot be read twice, are left out.
    """
    for path in paths:
        if Path(path).is_file() and strict_yaml.read(path).get("__use_yte__"):
            raise BornflowError(
                f"{path}: __use_yte__ found, which makes the file a program that Snakemake runs while it "
                "reads it; a configuration here holds plain values: take it out, and write what it makes"
            )


def load(path: str | Path | None, section: str) -> dict:
    """One section of a configuration file (all defaults where `path` is None)."""
    given = {} if path is None else strict_yaml.read(path)
    return filled(given, str(path))[section]
