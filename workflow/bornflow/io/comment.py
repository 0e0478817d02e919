"""The comment line of an extxyz frame: `key=value` pairs, read and written without loss.

    Lattice="9 0 0 0 9 0 0 0 9" energy=-17.2 structure=007 note="" flag

A value ends at the next blank or is quoted by "…", '…', {…} or […]; inside quotes a backslash escapes the
next character. A key without `=` is a flag (T). Blanks around `=` are allowed; `note= energy=-5` leaves
`note` empty. What is written here is read alike by ASE.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

CLOSING = {'"': '"', "'": "'", "{": "}", "[": "]"}
INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)")
REAL = re.compile(
    r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eEdD][+-]?[0-9]+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE
)
BOOLEANS = {"T": True, "F": False} | {
    spelling: value == "true"
    for value in ("true", "false")
    for spelling in (value, value.upper(), value.capitalize())
}
MATRICES = ("virial", "stress")  # nine numbers of these are a matrix in column order
JSON = "_JSON "  # ASE's mark of a value that is written as JSON


class Malformed(ValueError):
    """A comment line that cannot be read in one way only."""


class Word(NamedTuple):
    """A piece of the line without blanks outside quotes: text before and after its first `=`."""

    key: str
    value: str | None  # None without `=`
    quoted: bool  # whether the last piece stood in quotes


def pairs(line: str) -> dict[str, str]:
    """Keys and the text of their values, quotes removed; flags are `T`.

    Raises Malformed for an open quote, a value without a key and a key with two different values.
    """
    found: dict[str, str] = {}
    words = list(_words(line))
    place = 0
    while place < len(words):
        key, value, quoted = words[place]
        place += 1
        following = words[place] if place < len(words) else None
        if value is None:
            if following and not following.key and following.value is not None:  # `key =value`, `key = value`
                value, quoted = following.value, following.quoted
                place += 1
            else:
                value, quoted = "T", True
        if value == "" and not quoted and place < len(words) and _is_value(words, place):
            value = words[place].key
            place += 1
        if not key:
            raise Malformed(f"'={value}' has no key before it")
        if found.setdefault(key, value) != value:
            raise Malformed(f"'{key}' is there twice, as '{found[key]}' and as '{value}'; keep one")
    return found


def _is_value(words: list[Word], place: int) -> bool:
    """Whether a word is the value of `key= value`: it has no `=` itself, nor does one follow."""
    if words[place].value is not None:
        return False
    return place + 1 == len(words) or bool(words[place + 1].key) or words[place + 1].quoted


def _words(line: str):
    """The words of a line."""
    place, end = 0, len(line)
    while True:
        while place < end and line[place].isspace():
            place += 1
        if place == end:
            return
        key, place, quoted = _piece(line, place, stop="=")
        value = None
        if place < end and line[place] == "=":
            value, place, quoted = _piece(line, place + 1, stop="")
        if place < end and not line[place].isspace():
            raise Malformed(
                f"a blank is expected after the closing quote in column {place}, found '{line[place]}'"
            )
        yield Word(key, value, quoted)


def _piece(line: str, place: int, stop: str) -> tuple[str, int, bool]:
    """A quoted text, or all up to a blank or one of `stop`; the place after it; whether it was quoted."""
    closing = CLOSING.get(line[place]) if place < len(line) else None
    if closing is None:
        end = place
        while end < len(line) and not line[end].isspace() and line[end] not in stop:
            end += 1
        return line[place:end], end, False
    opening, begun, depth, text = line[place], place, 1, []
    place += 1
    while place < len(line):
        letter = line[place]
        if letter == "\\" and place + 1 < len(line):
            text.append(line[place + 1])
            place += 2
            continue
        if letter == closing:
            depth -= 1
            if not depth:
                return "".join(text), place + 1, True
        elif letter == opening:
            depth += 1
        text.append(letter)
        place += 1
    raise Malformed(f"the {opening} in column {begun + 1} is not closed")


def number(text: str) -> float:
    """A real number, also with Fortran's exponent (1.0D-3); ValueError for anything else, such as 1_000."""
    if not REAL.fullmatch(text):
        raise ValueError(f"'{text}' is not a number")
    return float(text.lower().replace("d", "e"))


def value(key: str, text: str) -> Any:
    """What a value means: a number, a truth value, an array of one of them, or the text itself."""
    if text.startswith(JSON):
        try:
            return json.loads(text[len(JSON) :])
        except ValueError:
            return text
    words = re.split(r"[\s,]+", text.strip(" \t,"))
    if all(INTEGER.fullmatch(word) for word in words):
        numbers: list = [int(word) for word in words]
        if max(map(abs, numbers)) >= 2**63:
            return text
    elif all(REAL.fullmatch(word) for word in words):
        numbers = [number(word) for word in words]
    elif all(word in BOOLEANS for word in words):
        numbers = [BOOLEANS[word] for word in words]
    else:
        return text
    if len(numbers) == 1:
        return numbers[0]
    array = np.array(numbers)
    return array.reshape(3, 3, order="F") if key in MATRICES and len(array) == 9 else array


def text(written: str) -> str:
    """The text of a name, whatever it looks like."""
    return str(value("", written)) if written.startswith(JSON) else written


def line(info: Mapping[str, Any], texts: frozenset[str]) -> str:
    """The comment line of `info`. Values of the keys in `texts` are text, whatever they look like."""
    return " ".join(f"{_quoted(key)}={_quoted(_text(key, info[key], key in texts))}" for key in info)


def _text(key: str, content: Any, is_text: bool) -> str:
    """The value as text that `value` (or for text the identity) turns back into the same."""
    if is_text:
        text = str(content)
        # A name such as 007 or 1_23 is text here anyway; another reader would take it for a number.
        mistaken = text in BOOLEANS or _is_number(text)
        marked = not text or mistaken or not text.isprintable() or text.startswith(JSON)
        return JSON + json.dumps(text) if marked else text
    if isinstance(content, np.ndarray | np.generic):
        content = content.reshape(-1, order="F") if key in MATRICES and content.shape == (3, 3) else content
        content = content.tolist()
    if isinstance(content, str):
        plain = content and content.isprintable() and isinstance(value(key, content), str)
        return content if plain and not content.startswith(JSON) else JSON + json.dumps(content)
    if (
        isinstance(content, list)
        and len(content) > 1
        and all(type(item) is type(content[0]) for item in content)
        and isinstance(content[0], bool | int | float)
    ):
        return " ".join(_scalar(item) for item in content)
    if isinstance(content, bool | int | float):
        return _scalar(content)
    return JSON + json.dumps(content)


def _is_number(text: str) -> bool:
    """Whether Python, and so many a reader, takes the text for a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _scalar(item: bool | int | float) -> str:
    return {True: "T", False: "F"}[item] if isinstance(item, bool) else repr(item)


def _quoted(text: str) -> str:
    if text and not re.search(r"[\s=\"'{}\[\]\\]", text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
