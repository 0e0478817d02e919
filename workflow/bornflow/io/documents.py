"""Reading JSON and YAML files of our own: one clear error for whatever is wrong with them.

    described = documents.read_yaml("config.yaml", {"name": str, "seed": int}, "train the model again")

Text is UTF-8. A file is read as a mapping or rejected: cut files, other encodings, keys that are missing or
given twice, values of another type, and numbers that are not finite.
"""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import BornflowError
from . import strict_yaml

Kind = type | tuple[type, ...]
NAMES = {
    bool: "true or false",
    dict: "a mapping",
    float: "a number",
    int: "a whole number",
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
        raise BornflowError(f"{path} cannot be read: {error.strerror}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BornflowError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8: the file is damaged, of "
            f"another kind or in another encoding; {remedy}"
        ) from error
    if "\0" in text:
        raise BornflowError(f"{path} is a binary file, text expected; {remedy}")
    return text


def read_json(path: str | Path, needed: Mapping[str, Kind], remedy: str) -> dict:
    """The mapping that a JSON file holds, with the keys `needed` and the types of their values."""
    text = read_text(path, remedy)
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise BornflowError(f"{path} is no whole JSON file ({_line(error)}); {remedy}") from error
    return _mapping(path, value, needed, remedy)


def read_yaml(path: str | Path, needed: Mapping[str, Kind], remedy: str) -> dict:
    """The mapping that a YAML file holds, with the keys `needed` and the types of their values."""
    text = read_text(path, remedy)
    try:
        value = strict_yaml.parse(text, str(path))
    except BornflowError as error:
        raise BornflowError(f"{error}; {remedy}") from error
    return _mapping(path, value, needed, remedy)


def check_keys(place: str, value: Mapping, needed: Mapping[str, Kind], remedy: str) -> None:
    """Raise BornflowError unless `value`, found at `place`, has the keys `needed` with these types."""
    for key, kind in needed.items():
        kinds = kind if isinstance(kind, tuple) else (kind,)
        expected = " or ".join(NAMES.get(one, one.__name__) for one in kinds)
        if key not in value:
            raise BornflowError(f"{place} holds no '{key}' ({expected}); {remedy}")
        found = value[key]
        fits = isinstance(found, kinds) or (float in kinds and isinstance(found, int))
        if not fits or (isinstance(found, bool) and bool not in kinds):
            raise BornflowError(f"{place}: '{key}' is {_short(found)}, {expected} expected; {remedy}")


def _mapping(path: str | Path, value, needed: Mapping[str, Kind], remedy: str) -> dict:
    if not isinstance(value, dict):
        raise BornflowError(f"{path} holds {_short(value)}, a mapping expected; {remedy}")
    check_keys(str(path), value, needed, remedy)
    try:
        numbers = [*_numbers(value)]
    except RecursionError as error:
        raise BornflowError(f"{path} holds a value that holds itself; {remedy}") from error
    for place, number in numbers:
        if not math.isfinite(number):
            raise BornflowError(f"{path}: '{place}' is {number}, a finite number expected; {remedy}")
    return value


def _numbers(value, place: str = "") -> Iterable[tuple[str, float]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{place}[{index}]")
    elif isinstance(value, float):
        yield place, value


def _unique(pairs: list[tuple]) -> dict:
    found: dict = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key '{key}' is given twice")
        found[key] = value
    return found


def _reject_constant(word: str) -> None:
    raise ValueError(f"{word} found, a finite number expected")


def _line(error: Exception) -> str:
    """An error's message in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _short(value) -> str:
    words = repr(value)
    return words if len(words) <= 60 else words[:57] + "..."
