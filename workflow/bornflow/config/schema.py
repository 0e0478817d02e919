"""What a configuration may hold, each key by itself: defaults filled in, wrong values explained."""

import contextlib
import difflib
import functools
import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from ..errors import BornflowError
from ..io.strict_yaml import MAX_DEPTH, MAX_DIGITS, MAX_VALUES, describe

COUNTS = ("minItems", "maxItems", "uniqueItems", "pattern")
SCHEMA = Path(__file__).parents[2] / "schemas" / "config.schema.yaml"


@functools.cache
def schema() -> dict:
    """The schema of a configuration."""
    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def filled(config: Mapping, name: str = "config") -> dict:
    """A configuration with every default, or BornflowError with keys, values and what is allowed."""
    reject([*itertools.islice(_not_plain(config), 5)], name)
    full = _with_defaults(config, schema())
    errors = sorted(Draft202012Validator(schema()).iter_errors(full), key=lambda e: list(e.path))
    reject([_explain(error) for error in errors] or [*_not_finite(full)], name)
    return full


def reject(wrong: list[str], name: str) -> None:
    """Raise BornflowError with what is wrong in the configuration `name`, if anything is."""
    if wrong:
        raise BornflowError("\n       ".join(f"{name}: {text}" for text in wrong[:5]))


def _not_plain(config):
    """Words on keys that are no text, and on what is no plain data: dates, circles, too much of it."""
    made = itertools.count()

    def walk(value, place: str, above: tuple[int, ...]):
        if next(made) > MAX_VALUES:
            yield (
                f"{place}: over {MAX_VALUES} values, perhaps by aliases (*) of aliases; write out "
                "what is meant"
            )
        elif id(value) in above:
            yield f"{place}: an alias (*) inside of what it stands for makes a circle; take it out"
        elif len(above) > MAX_DEPTH:
            yield f"{place[:60]}…: nested more than {MAX_DEPTH} levels deep"
        elif isinstance(value, Mapping):
            for key, item in value.items():
                if isinstance(key, str):
                    yield from walk(item, f"{place}.{key}".lstrip("."), (*above, id(value)))
                else:
                    yield (
                        f"{place or 'top level'}: key {key!r} found, which is {describe(key)}; keys are text "
                        "(YAML reads no, off, yes, on and numbers as values): put it in quotes"
                    )
        elif isinstance(value, list):
            for number, item in enumerate(value):
                yield from walk(item, f"{place}.{number}", (*above, id(value)))
        elif not (value is None or isinstance(value, str | bool | int | float)):
            yield f"{place}: {str(value)[:60]} found, which is {describe(value)}; put it in quotes"
        elif type(value) is int and abs(value) >= 10**MAX_DIGITS:
            yield f"{place}: a number of over {MAX_DIGITS} digits; no setting is so large"

    return walk(config, "", ())


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
    message = _hint(error)
    if "expected" in error.schema:
        found = message or f"{_cut(repr(error.instance))} found"
        return f"{place}: {found}; expected: {error.schema['expected']}"
    allowed = {
        key: error.schema[key]
        for key in ("type", "enum", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", *COUNTS)
        if key in error.schema
    }
    description = error.schema.get("description", "")
    return (
        f"{place}: {message or _cut(error.message)}; allowed: {json.dumps(allowed)}. {description}".rstrip()
    )


def _hint(error) -> str:
    """Plainer words than the validator's: on long numbers, and on what YAML makes of text without quotes."""
    if isinstance(error.instance, int) and len(str(error.instance)) > MAX_DIGITS:
        return f"{float(error.instance):g} found"
    if error.validator != "type" or "string" not in error.schema["type"] or error.instance is None:
        return ""
    if not isinstance(error.instance, bool | int | float):
        return ""
    return f"{error.instance} found, {describe(error.instance)}; where text is meant, put it in quotes"


def _cut(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:140]} … {text[-40:]}"


def _nearest(key: str, known: list[str]) -> list[str]:
    return difflib.get_close_matches(key, known, n=1)
