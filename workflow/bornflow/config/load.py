"""Complete configurations: the entry point to `schema` (single keys), `checks`, `names` and `jobs`.

A configuration file states only what differs from the defaults in `workflow/schemas/config.schema.yaml`.
Unknown keys, wrong types and impossible values are rejected with key, value and allowed values.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..errors import BornflowError
from ..io import frames, strict_yaml
from .checks import contradictions
from .jobs import too_many_jobs
from .names import collisions
from .schema import reject, validate


def complete(config: Mapping, name: str = "config") -> dict:
    """The configuration with all defaults, checked.

    Sections are checked against each other and against the structure files that exist already.
    Raises BornflowError, which begins each line with `name`.
    """
    full = validate(config, name)
    reject([*collisions(full), *contradictions(full)], name)
    reject([*too_many_jobs(full)], name)
    reject([*_too_few_frames(full)], name)
    return full


def _too_few_frames(full: Mapping) -> Iterator[str]:
    """A message for every system whose frame its file does not have.

    Files that do not exist yet are skipped: a job may write them.
    """
    for name, system in full["dynamics"]["systems"].items():
        if Path(system["structure"]).is_file():
            count = frames.count(system["structure"])
            if count <= system["frame"]:
                yield (
                    f"dynamics.systems.{name}.frame: {system['frame']} found, but {system['structure']} "
                    f"contains {count} structures, counted from 0; give a smaller number"
                )


def check_files(paths: Iterable[str | Path]) -> None:
    """Find errors in configuration files that Snakemake itself does not report.

    Of two sections with the same name Snakemake keeps the last one, and it reads `1:30` as 90. Pipes are
    skipped, because they cannot be read twice. Raises BornflowError with file and line.
    """
    for path in paths:
        if Path(path).is_file() and strict_yaml.read(path).get("__use_yte__"):
            raise BornflowError(
                f"{path}: __use_yte__ found, which makes the file a program that Snakemake runs while it "
                "reads it; only plain values are allowed here: remove the key and write the values themselves"
            )


def load(path: str | Path | None, section: str) -> dict:
    """One section of a configuration file with its defaults (defaults only where `path` is None)."""
    given = {} if path is None else strict_yaml.read(path)
    return validate(given, str(path))[section]


def load_variant(path: str | Path | None, name: str) -> dict:
    """The settings of the model `name`. Raises BornflowError if the configuration does not have it."""
    variants = load(path, "models")
    if name not in variants:
        where = path or "the default configuration (give --config)"
        raise BornflowError(f"model {name} is not in {where}; choose one of {', '.join(variants)}")
    return {key: value for key, value in variants[name].items() if key != "published"}
