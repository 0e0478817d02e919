"""Reader of JSON and YAML files, with one clear error for every fault.

    described = documents.read_yaml("config.yaml", {"name": str, "seed": int}, "train the model again")

A file is UTF-8 text that contains a mapping. Cut files, other encodings, missing or repeated keys, values of
another type and numbers that are not finite are rejected; every message ends with the remedy that the caller
gives. `strict_yaml.py` reads the YAML.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import BornflowError
from . import strict_yaml

Types = type | tuple[type, ...]  # one type, or several that are allowed
TYPE_NAMES = {
    bool: "true or false",
    dict: "a mapping",
    float: "a number",
    int: "an integer",
    list: "a list",
    str: "text",
}


def read_text(path: str | Path, remedy: str) -> str:
    """The text of a UTF-8 file, with or without a byte order mark. Raises BornflowError for other files."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise BornflowError(f"{path}: no such file; {remedy}") from error
    except OSError as error:
        raise BornflowError(f"{path} cannot be read: {error.strerror}; {remedy}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BornflowError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8: the file is damaged, of "
            f"another format or in another encoding; {remedy}"
        ) from error
    if "\0" in text:
        raise BornflowError(f"{path} is a binary file, but text is expected; {remedy}")
    return text


def read_json(path: str | Path, required: Mapping[str, Types], remedy: str) -> dict[str, Any]:
    """The mapping in a JSON file. Raises BornflowError unless it has the `required` keys with their types."""
    text = read_text(path, remedy)
    try:
        value = json.loads(text, object_pairs_hook=_reject_repeated_keys, parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise BornflowError(f"{path} is not a complete JSON file ({_one_line(error)}); {remedy}") from error
    return _check_mapping(path, value, required, remedy)


def read_yaml(path: str | Path, required: Mapping[str, Types], remedy: str) -> dict[str, Any]:
    """The mapping in a YAML file. Raises BornflowError unless it has the `required` keys with their types."""
    text = read_text(path, remedy)
    try:
        value = strict_yaml.parse(text, str(path))
    except BornflowError as error:
        raise BornflowError(f"{error}; {remedy}") from error
    return _check_mapping(path, value, required, remedy)


def check_keys(place: str, value: Mapping[str, Any], required: Mapping[str, Types], remedy: str) -> None:
    """Raise BornflowError unless `value`, found at `place`, has the `required` keys with their types."""
    for key, types in required.items():
        allowed = types if isinstance(types, tuple) else (types,)
        expected = " or ".join(TYPE_NAMES.get(one, one.__name__) for one in allowed)
        if key not in value:
            raise BornflowError(f"{place} has no '{key}' ({expected}); {remedy}")
        found = value[key]
        fits = isinstance(found, allowed) or (float in allowed and isinstance(found, int))
        if not fits or (isinstance(found, bool) and bool not in allowed):
            raise BornflowError(
                f"{place}: '{key}' is {_shorten(found)}, but {expected} is expected; {remedy}"
            )


def _check_mapping(
    path: str | Path, value: Any, required: Mapping[str, Types], remedy: str
) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BornflowError(f"{path} contains {_shorten(value)}, but a mapping is expected; {remedy}")
    check_keys(str(path), value, required, remedy)
    try:
        numbers = list(_numbers(value))
    except RecursionError as error:
        raise BornflowError(f"{path} is nested too deeply; {remedy}") from error
    for place, number in numbers:
        if not math.isfinite(number):
            raise BornflowError(f"{path}: '{place}' is {number}, but a finite number is expected; {remedy}")
    return value


def _numbers(value: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """All real numbers in nested mappings and lists, with places such as `loss.weights[2]`."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{place}[{index}]")
    elif isinstance(value, float):
        yield place, value


def _reject_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise ValueError(f"the key '{key}' is given twice")
        mapping[key] = value
    return mapping


def _reject_constant(word: str) -> None:
    """Reject NaN and Infinity, which JSON does not have and Python reads."""
    raise ValueError(f"{word} found, but a finite number is expected")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _shorten(value: Any) -> str:
    words = repr(value)
    return words if len(words) <= 60 else words[:57] + "..."
