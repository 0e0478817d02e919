"""Validation of each key: defaults are filled in, wrong values are explained.

The rules are those of `workflow/schemas/config.schema.yaml`. `checks.py` compares keys with each other.
"""

import contextlib
import difflib
import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError

from ..errors import BornflowError
from ..io.strict_yaml import MAX_DEPTH, MAX_DIGITS, MAX_VALUES, describe

SCHEMA = Path(__file__).parents[2] / "schemas" / "config.schema.yaml"
MOST_MESSAGES = 5
# A rule of the schema in words, for messages on values outside it.
TYPE_WORDS = {
    "integer": "an integer",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table of keys and values",
    "null": "null",
}


@functools.cache
def schema() -> dict:
    """The schema of a configuration."""
    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def validate(config: Mapping, name: str = "config") -> dict:
    """The configuration with all defaults.

    Raises BornflowError with key, value found and allowed values; each line begins with `name`.
    """
    reject([*itertools.islice(_unsupported(config), MOST_MESSAGES)], name)
    full = _with_defaults(config, schema())
    errors = sorted(Draft202012Validator(schema()).iter_errors(full), key=lambda e: list(e.path))
    reject([_explain(error) for error in errors] or [*_not_finite(full)], name)
    return full


def reject(messages: Sequence[str], name: str) -> None:
    """Raise BornflowError with the first messages on the configuration `name`, if there are any."""
    if messages:
        raise BornflowError("\n       ".join(f"{name}: {text}" for text in messages[:MOST_MESSAGES]))


def _unsupported(config: Any) -> Iterator[str]:
    """Messages on keys that are not text, and on values that are not plain data or too many."""
    counter = itertools.count()

    def walk(value: Any, place: str, above: tuple[int, ...]) -> Iterator[str]:
        if next(counter) > MAX_VALUES:
            yield f"{place}: over {MAX_VALUES} values, perhaps by aliases (*) of aliases; write them out"
        elif id(value) in above:
            yield f"{place}: an alias (*) inside its own value makes a circle; remove it"
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
            yield f"{place}: a number with over {MAX_DIGITS} digits; no setting is so large"

    return walk(config, "", ())


def _with_defaults(value: Any, node: Mapping) -> Any:
    """`value` with the defaults of `node`, a part of the schema, at every depth."""
    if value is None and "default" in node:
        value = node["default"]
    if isinstance(value, list):
        return [_with_defaults(item, node.get("items", {})) for item in value]
    if not isinstance(value, Mapping):
        types = node.get("type", [])
        numeric = {"number", "integer"} & set([types] if isinstance(types, str) else types)
        return _number(value) if numeric else value
    known, free = node.get("properties", {}), node.get("additionalProperties", False)
    full = {
        key: _with_defaults(item, known.get(key, free if isinstance(free, Mapping) else {}))
        for key, item in value.items()
        # The value null removes a model, system or pool of the configuration file below.
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


def _number(value: Any) -> Any:
    """A number in one form, 5 for 5.0 and 5e0, so that its spelling changes no job and no hash.

    Text is converted too: YAML reads 1e-7 as text, and so does Snakemake in nested `--config` values.
    """
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return value
    return int(value) if value == int(value) else value


def _not_finite(value: Any, place: str = "") -> Iterator[str]:
    """A message on every number that is infinite or not a number."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _not_finite(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for item in value:
            yield from _not_finite(item, place)
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{place}: {value} found, a finite number expected"


def _explain(error: ValidationError) -> str:
    """The message for an error of the validator: key, value found and allowed values."""
    place = ".".join(map(str, error.absolute_path)) or "top level"
    rule = error.schema
    if error.validator == "additionalProperties" and "properties" in rule:
        known = sorted(rule["properties"])
        unknown = [_with_nearest(key, known) for key in sorted(set(error.instance) - set(known))]
        return f"{place}: unknown key {', '.join(unknown)}; allowed are {', '.join(known)}"
    if error.validator == "required":
        missing = [key for key in rule["required"] if key not in error.instance]
        return f"{place}: {' and '.join(missing)} missing: add it. {rule.get('description', '')}".rstrip()
    reason = _plain_reason(error, rule)
    if "expected" in rule:
        return f"{place}: {reason or f'{_shorten(repr(error.instance))} found'}; expected: {rule['expected']}"
    found = reason or f"{_shorten(repr(error.instance))} found"
    return f"{place}: {found}, but {_allowed(rule)} is expected. {rule.get('description', '')}".rstrip()


def _allowed(rule: Mapping) -> str:
    """The values that a rule of the schema allows, in words: `an integer from 1 to 64`."""
    if "enum" in rule:
        return f"one of {', '.join(map(str, rule['enum']))}"
    kinds = [rule["type"]] if isinstance(rule.get("type"), str) else list(rule.get("type", []))
    words = [" or ".join(TYPE_WORDS[kind] for kind in kinds) or "another value", *_range(rule)]
    if "maxItems" in rule:
        words.append(f"with {rule.get('minItems', 0)} to {rule['maxItems']} entries")
    elif "minItems" in rule:
        words.append(f"with {rule['minItems']} or more entries")
    if rule.get("uniqueItems"):
        words.append("without repetitions")
    if "pattern" in rule:
        words.append(f"that matches {rule['pattern']}")
    return " ".join(words)


def _range(rule: Mapping) -> list[str]:
    """The bounds of a number: `from 2 to 64`, `above 0 and below 1`."""
    words = []
    if "minimum" in rule:
        words.append(f"from {rule['minimum']:g}")
    if "exclusiveMinimum" in rule:
        words.append(f"above {rule['exclusiveMinimum']:g}")
    if "maximum" in rule:
        joint = "to" if "minimum" in rule else "and up to" if words else "up to"
        words.append(f"{joint} {rule['maximum']:g}")
    if "exclusiveMaximum" in rule:
        words.append(f"{'and ' if words else ''}below {rule['exclusiveMaximum']:g}")
    return words


def _plain_reason(error: ValidationError, rule: Mapping) -> str:
    """A plainer message for long numbers, and for text that YAML reads as another type."""
    value = error.instance
    if isinstance(value, int) and len(str(value)) > MAX_DIGITS:
        return f"{float(value):g} found"
    if error.validator == "type" and "string" in rule["type"] and isinstance(value, bool | int | float):
        return f"{value} found, {describe(value)}; where text is meant, put it in quotes"
    return ""


def _shorten(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:140]} … {text[-40:]}"


def _with_nearest(key: str, known: Sequence[str]) -> str:
    """An unknown key in quotes, with the known key it resembles."""
    nearest = difflib.get_close_matches(key, known, n=1)
    return f"'{key}'" + "".join(f" (did you mean '{name}'?)" for name in nearest)
