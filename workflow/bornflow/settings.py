"""Configurations: defaults, checks and the sections that stages read.

`workflow/schemas/config.schema.yaml` describes every key with its type, unit, range and default.
A configuration file says only what differs; unknown keys, wrong types and impossible values are
refused with the key, the value found and what is allowed.
"""

import argparse
import contextlib
import difflib
import functools
import json
import math
from collections.abc import Mapping
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from .errors import BornflowError, command
from .files import write_text
from .units import WAVENUMBER

SCHEMA = Path(__file__).parents[1] / "schemas" / "config.schema.yaml"


@functools.cache
def schema() -> dict:
    """The schema of a configuration."""
    return yaml.safe_load(SCHEMA.read_text())


def complete(config: Mapping, name: str = "config", is_whole: bool = True) -> dict:
    """A configuration with every default filled in, or BornflowError naming what is wrong.

    Sections are held against each other if the configuration `is_whole`.
    """
    full = _with_defaults(config, schema())
    errors = sorted(Draft202012Validator(schema()).iter_errors(full), key=lambda e: list(e.path))
    wrong = [_explain(error) for error in errors] or [*_not_finite(full)]
    if is_whole and not wrong:
        wrong = [*_contradictions(full)]
    if wrong:
        raise BornflowError("\n       ".join(f"{name}: {text}" for text in wrong[:5]))
    return full


def load(path: str | Path | None, section: str) -> dict:
    """One section of a configuration file (all defaults where `path` is None)."""
    given = {}
    if path is not None:
        try:
            given = yaml.safe_load(Path(path).read_text()) or {}
        except yaml.YAMLError as error:
            raise BornflowError(f"{path} is not YAML: {error}") from error
        if not isinstance(given, dict):
            raise BornflowError(f"{path}: sections are expected at the top, found {given!r}")
    return complete(given, str(path), is_whole=False)[section]


def _with_defaults(value, node: Mapping):
    if value is None and "default" in node:
        value = node["default"]
    if isinstance(value, list):
        return [_with_defaults(item, node.get("items", {})) for item in value]
    if not isinstance(value, Mapping):
        kinds = node.get("type", [])
        numeric = {"number", "integer"} & set([kinds] if isinstance(kinds, str) else kinds)
        return _number(value) if numeric else value
    known, free = node.get("properties", {}), node.get("additionalProperties", False)
    full = {
        key: _with_defaults(item, known.get(key, free if isinstance(free, Mapping) else {}))
        for key, item in value.items()
        # A model, system or pool of null leaves out that of the configuration underneath.
        if not (item is None and key not in known and isinstance(free, Mapping))
    }
    for key, child in known.items():
        if key not in full:
            default = child.get("default")
            if default is None and "properties" in child:
                default = {}
            if default is not None:
                full[key] = _with_defaults(default, child)
    return full


def _number(value):
    """A number in one form: 5 for 5.0 and 5e0, so that a way of writing changes no job and no hash.

    YAML makes text of 1e-7, and so does Snakemake of nested `--config` values.
    """
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return value
    return int(value) if value == int(value) else value


def _not_finite(value, place: str = ""):
    """Words on every number that is infinite or not a number."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _not_finite(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for item in value:
            yield from _not_finite(item, place)
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{place}: {value} found, a finite number expected"


def _contradictions(full: Mapping):
    """Words on values that are allowed each by itself but not together."""
    training, pools = full["training"], full["structures"]["pools"]
    if training["final_learning_rate"] > training["learning_rate"]:
        yield (
            f"training.final_learning_rate: {training['final_learning_rate']:g} is above "
            f"training.learning_rate = {training['learning_rate']:g}; lower it"
        )
    for name, model in full["models"].items():
        if model["neutral"] and model["charges"] == "global":
            yield (
                f"models.{name}.neutral: true, but with charges: global nothing would train the charges that "
                "Born effective charges come from; use charges: local, or neutral: false"
            )
    for name in training["learning_curve"]["models"]:
        if name not in full["models"]:
            yield f"training.learning_curve.models: {name} is not among models: {', '.join(full['models'])}"
    if "computed" in training["data"] and not pools:
        yield "training.data: `computed` labels need structures; list pools under structures.pools"
    for name, study in full["labels"]["studies"].items():
        for change in (
            change for case in study["cases"] for change in (case["reference"], *case["variants"])
        ):
            try:
                complete({"labels": {"cp2k": change}}, is_whole=False)
            except BornflowError as error:
                yield f"labels.studies.{name}: {error}"
    for name, pool in pools.items():
        sources = [key for key in ("molecules", "isomers", "files") if key in pool]
        if len(sources) != 1:
            yield (
                f"structures.pools.{name}: {' and '.join(sources) or 'no source'} given; give one of "
                "molecules, isomers, files"
            )
            continue
        if full["labels"]["engine"] == "xtb" and "density" in pool:
            yield f"structures.pools.{name}: periodic, which labels.engine = xtb cannot label; use cp2k"
        runs = len(pool["temperatures"]) * (pool["steps"] // pool["interval"])
        most = len(pool["isomers"]) if "isomers" in pool else pool["starts"] * (runs + pool["keep_relaxed"])
        if pool["select"] > most and "files" not in pool:
            yield (
                f"structures.pools.{name}.select: {pool['select']} asked for, the pool holds {most} at most; "
                "raise starts or steps, or lower interval, or select fewer"
            )
    interval, between = full["dynamics"]["frame_interval"], full["dynamics"]["velocity_interval"]
    if interval % between:
        yield (
            f"dynamics.frame_interval: {interval} is no multiple of dynamics.velocity_interval = {between}; "
            "frames need the velocities of their step"
        )
    spectra, timestep = full["spectra"], full["dynamics"]["timestep"]
    limit = WAVENUMBER / (2 * between * timestep)
    if full["dynamics"]["systems"] and limit < spectra["highest"]:
        yield (
            f"dynamics.velocity_interval: velocities every {between} steps of {timestep:g} fs reach up to "
            f"{limit:.0f} cm⁻¹; spectra.highest is {spectra['highest']:g}"
        )
    needed = max(
        spectral_steps(spectra["resolution"], timestep),
        between * spectral_steps(spectra["resolution"], between * timestep),
    )
    for name, system in full["dynamics"]["systems"].items():
        if system["steps"] < needed:
            yield (
                f"dynamics.systems.{name}.steps: {system['steps']} cannot resolve "
                f"{spectra['resolution']:g} cm⁻¹ (spectra.resolution), which takes {needed}"
            )


def spectral_steps(resolution: float, timestep: float) -> int:
    """Time steps [fs] that a segment needs to resolve `resolution` [cm⁻¹], an even number."""
    return 2 * round(WAVENUMBER / (resolution * timestep) / 2)


def _explain(error) -> str:
    place = ".".join(map(str, error.absolute_path)) or "top level"
    if error.validator == "additionalProperties" and "properties" in error.schema:
        known = sorted(error.schema["properties"])
        unknown = sorted(set(error.instance) - set(known))
        hints = [
            f"'{key}'" + "".join(f" (did you mean '{near}'?)" for near in _nearest(key, known))
            for key in unknown
        ]
        return f"{place}: unknown key {', '.join(hints)}; allowed are {', '.join(known)}"
    allowed = {
        key: error.schema[key]
        for key in ("type", "enum", "minimum", "exclusiveMinimum", "maximum", "pattern", "minItems")
        if key in error.schema
    }
    return f"{place}: {error.message}; allowed: {json.dumps(allowed)}. " + error.schema.get("description", "")


def _nearest(key: str, known: list[str]) -> list[str]:
    return difflib.get_close_matches(key, known, n=1)


@command
def main() -> None:
    """Write a part of a configuration as a file of its own."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--json", required=True, help="the sections and their values")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    write_text(args.out, yaml.safe_dump(json.loads(args.json)))


if __name__ == "__main__":
    main()
