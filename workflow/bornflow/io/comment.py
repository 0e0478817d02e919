"""The comment line of an extxyz frame: `key=value` pairs, read and written without loss.

    Lattice="9 0 0 0 9 0 0 0 9" energy=-17.2 structure=007 note="" flag

A value ends at the next space or is enclosed in "…", '…', {…} or […]. Inside quotes a backslash escapes the
next character. A key without `=` is a flag (T). Spaces around `=` are allowed; `note= energy=-5` leaves
`note` empty. ASE reads the lines that are written here in the same way.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import BornflowError

CLOSING = {'"': '"', "'": "'", "{": "}", "[": "]"}
INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)")  # 0, -17; not 007
# 1, 1., .5, -1.5e-3, 1.0D-3 (Fortran), nan, -inf
REAL = re.compile(
    r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eEdD][+-]?[0-9]+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE
)
BOOLEANS = {"T": True, "F": False} | {
    spelling: word == "true"
    for word in ("true", "false")
    for spelling in (word, word.upper(), word.capitalize())
}
MATRICES = ("virial", "stress")  # nine numbers under these keys are a matrix in column order
JSON_MARK = "_JSON "  # ASE puts this before a value that is written as JSON


class Word(NamedTuple):
    """A part of the line without spaces outside quotes: the text before and after its first `=`."""

    key: str
    value: str | None  # None without `=`
    quoted: bool  # whether the last text was in quotes


def parse(line: str) -> dict[str, str]:
    """Keys and the text of their values, quotes removed; flags are `T`.

    Raises BornflowError, without the name of the file, for an open quote, a value without a key and a key
    with two different values.
    """
    pairs: dict[str, str] = {}
    words = list(_split(line))
    position = 0
    while position < len(words):
        key, value, quoted = words[position]
        position += 1
        following = words[position] if position < len(words) else None
        if value is None:
            # `key =value` is the words `key` and `=value`; `key = value` is `key`, `=` and `value`.
            if following and not following.key and following.value is not None:
                value, quoted = following.value, following.quoted
                position += 1
            else:  # `flag`
                value, quoted = "T", True
        if value == "" and not quoted and _is_value(words, position):  # `key= value`
            value = words[position].key
            position += 1
        if not key:
            raise BornflowError(f"'={value}' has no key before it; write key=value")
        if pairs.setdefault(key, value) != value:
            raise BornflowError(f"'{key}' is given twice, as '{pairs[key]}' and as '{value}'; keep one")
    return pairs


def _is_value(words: list[Word], position: int) -> bool:
    """Whether the word there is the value of the `key=` before it.

    True for `key= value other=3`, false for `key= other=3` and `key= other = 3`.
    """
    if position >= len(words) or words[position].value is not None:
        return False
    following = words[position + 1] if position + 1 < len(words) else None
    return following is None or bool(following.key) or following.quoted


def _split(line: str) -> Iterator[Word]:
    """The words of a line: `note="a b" flag` is (note, a b) and (flag, None)."""
    position, end = 0, len(line)
    while True:
        while position < end and line[position].isspace():
            position += 1
        if position == end:
            return
        key, position, quoted = _read_text(line, position, stop="=")
        value = None
        if position < end and line[position] == "=":
            value, position, quoted = _read_text(line, position + 1, stop="")
        if position < end and not line[position].isspace():
            raise BornflowError(
                f"a space is expected after the closing quote in column {position}, found '{line[position]}'"
                "; add the space, or a backslash before a quote that belongs to the text"
            )
        yield Word(key, value, quoted)


def _read_text(line: str, start: int, stop: str) -> tuple[str, int, bool]:
    """A quoted text, or everything up to a space or a character of `stop`.

    Returns the text without quotes, the position after it, and whether it was quoted.
    """
    if start < len(line) and line[start] in CLOSING:
        text, end = _read_quoted(line, start)
        return text, end, True
    end = start
    while end < len(line) and not line[end].isspace() and line[end] not in stop:
        end += 1
    return line[start:end], end, False


def _read_quoted(line: str, start: int) -> tuple[str, int]:
    """The text between the quote or bracket at `start` and its partner, and the position after that.

    `"a \\"b\\" c"` is the text `a "b" c`; brackets nest, so `{a {b} c}` is `a {b} c`.
    """
    opening, closing = line[start], CLOSING[line[start]]
    depth, text, position = 1, [], start + 1
    while position < len(line):
        letter = line[position]
        if letter == "\\" and position + 1 < len(line):
            text.append(line[position + 1])
            position += 2
            continue
        if letter == closing:
            depth -= 1
            if not depth:
                return "".join(text), position + 1
        elif letter == opening:
            depth += 1
        text.append(letter)
        position += 1
    raise BornflowError(f"the {opening} in column {start + 1} is not closed; add the closing {closing}")


def parse_number(text: str) -> float:
    """A real number, also with Fortran's exponent (1.0D-3); ValueError for anything else, such as 1_000."""
    if not REAL.fullmatch(text):
        raise ValueError(f"'{text}' is not a number")
    return float(text.lower().replace("d", "e"))


def parse_value(key: str, text: str) -> Any:
    """The value of a text: a number, a truth value, an array of these, or the text itself.

    `3` is an integer, `1 2.5` an array of two numbers, `T F` an array of truth values, `007` text.
    """
    if text.startswith(JSON_MARK):
        try:
            return json.loads(text[len(JSON_MARK) :])
        except ValueError:
            return text
    words = re.split(r"[\s,]+", text.strip(" \t,"))
    if all(INTEGER.fullmatch(word) for word in words):
        numbers: list = [int(word) for word in words]
        if max(map(abs, numbers)) >= 2**63:
            return text
    elif all(REAL.fullmatch(word) for word in words):
        numbers = [parse_number(word) for word in words]
    elif all(word in BOOLEANS for word in words):
        numbers = [BOOLEANS[word] for word in words]
    else:
        return text
    if len(numbers) == 1:
        return numbers[0]
    array = np.array(numbers)
    return array.reshape(3, 3, order="F") if key in MATRICES and len(array) == 9 else array


def parse_text(text: str) -> str:
    """The value of a key whose values are always text, such as a name: `007` stays `007`."""
    return str(parse_value("", text)) if text.startswith(JSON_MARK) else text


def compose(info: Mapping[str, Any], text_keys: frozenset[str]) -> str:
    """The comment line of `info`; values of the keys in `text_keys` are text, even if they look like numbers.

    Raises TypeError for a value that JSON cannot represent.
    """
    return " ".join(
        f"{_quote(key)}={_quote(_format_name(value) if key in text_keys else _format_value(key, value))}"
        for key, value in info.items()
    )


def _format_name(name: Any) -> str:
    """A text that `parse_text` reads back.

    bornflow reads 007 and 1_23 as text here. Other readers would take them for numbers, so they are marked.
    """
    text = str(name)
    mistaken = text in BOOLEANS or _python_takes_for_number(text)
    marked = not text or mistaken or not text.isprintable() or text.startswith(JSON_MARK)
    return JSON_MARK + json.dumps(text) if marked else text


def _format_value(key: str, value: Any) -> str:
    """A text that `parse_value` reads back as the same value."""
    if isinstance(value, np.ndarray | np.generic):
        is_matrix = key in MATRICES and value.shape == (3, 3)
        value = (value.reshape(-1, order="F") if is_matrix else value).tolist()
    if isinstance(value, str):
        is_plain = value and value.isprintable() and isinstance(parse_value(key, value), str)
        return value if is_plain and not value.startswith(JSON_MARK) else JSON_MARK + json.dumps(value)
    if isinstance(value, list) and _is_array(value):
        return " ".join(map(_format_scalar, value))
    if isinstance(value, bool | int | float):
        return _format_scalar(value)
    return JSON_MARK + json.dumps(value)


def _is_array(items: list) -> bool:
    """Whether a list is two or more numbers, or truth values, of one type."""
    return (
        len(items) > 1
        and isinstance(items[0], bool | int | float)
        and all(type(item) is type(items[0]) for item in items)
    )


def _python_takes_for_number(text: str) -> bool:
    """Whether `float(text)`, which many readers use, accepts the text: true for 007 and 1_23."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _format_scalar(item: bool | int | float) -> str:
    return {True: "T", False: "F"}[item] if isinstance(item, bool) else repr(item)


def _quote(text: str) -> str:
    if text and not re.search(r"[\s=\"'{}\[\]\\]", text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
