"""What a configuration may hold, each key by itself: defaults filled in, wrong values explained."""

import contextlib
import difflib
import functools
import json
import math
from collections.abc import Mapping
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from .errors import BornflowError

SCHEMA = Path(__file__).parents[1] / "schemas" / "config.schema.yaml"


@functools.cache
def schema() -> dict:
    """The schema of a configuration."""
    return yaml.safe_load(SCHEMA.read_text())


def filled(config: Mapping, name: str = "config") -> dict:
    """A configuration with every default, or BornflowError with keys, values and what is allowed."""
    full = _with_defaults(config, schema())
    errors = sorted(Draft202012Validator(schema()).iter_errors(full), key=lambda e: list(e.path))
    refuse([_explain(error) for error in errors] or [*_not_finite(full)], name)
    return full


def refuse(wrong: list[str], name: str) -> None:
    """Raise BornflowError with what is wrong in the configuration `name`, if anything is."""
    if wrong:
        raise BornflowError("\n       ".join(f"{name}: {text}" for text in wrong[:5]))


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
