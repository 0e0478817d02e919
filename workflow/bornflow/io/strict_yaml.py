"""Reader of YAML (and JSON) that never loses or guesses values, or runs them as a program.

PyYAML keeps the last of two equal keys, reads `1:30` as 90, `010` as 8 and `no` as false, and follows aliases
(`&`, `*`) without limit. Here each of these raises a BornflowError with file, line, value and remedy.
"""

import datetime
import json
import math
import re
from pathlib import Path
from typing import Any

import yaml

from ..errors import BornflowError

MAX_DEPTH = 50  # levels of nesting; bornflow's files have six
MAX_VALUES = 50_000  # with all aliases expanded; a few short lines could mean billions
MAX_DIGITS = 18  # of an integer; all of bornflow's are far smaller
TAG = "tag:yaml.org,2002:"
MERGE = TAG + "merge"  # <<
BOOLEANS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")  # 1:30, 12:30:45.6
BASE_8 = re.compile(r"[-+]?0[0-9_]+")  # 010


def read(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML or JSON file; an empty file, or one with comments only, is an empty mapping.

    Raises BornflowError with file, line, value and remedy for everything that is not plain data: repeated
    keys, keys that are not text, numbers to base 8 or 60, dates, infinite numbers, tags, circular aliases.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise BornflowError(
            f"{path}: {error.strerror or error}; a configuration file (YAML) is expected"
        ) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BornflowError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from error
    return parse(text, str(path))


def parse(text: str, name: str) -> dict[str, Any]:
    """The mapping in `text`; messages call the file `name`. Raises BornflowError as `read` does."""
    try:
        value = _parse_json(text, name) if text.lstrip().startswith("{") else _parse_yaml(text, name)
    except RecursionError as error:
        raise BornflowError(
            f"{name}: nested too deeply; at most {MAX_DEPTH} levels are allowed, is this the right file?"
        ) from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BornflowError(
            f"{name}: sections such as `training:` are expected at the top, found {_shorten(value)}"
        )
    return value


def _parse_json(text: str, name: str) -> Any:
    """The value of a JSON text, or of YAML in braces, such as `{a: 1}`."""

    def mapping(items: list[tuple[str, Any]]) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        for key, value in items:
            if key in pairs:
                raise BornflowError(f"{name}: key '{key}' is given twice in one mapping; join the two")
            pairs[key] = value
        return pairs

    def integer(digits: str) -> int:
        if len(digits) > MAX_DIGITS:
            raise BornflowError(
                f"{name}: a number of {len(digits)} digits found; no setting is that large, correct it"
            )
        return int(digits)

    def real(digits: str) -> float:
        return float(digits) if math.isfinite(float(digits)) else constant(digits)

    def constant(word: str) -> Any:
        raise BornflowError(f"{name}: {word} found, but a finite number is expected; correct it")

    try:
        return json.loads(
            text, object_pairs_hook=mapping, parse_int=integer, parse_float=real, parse_constant=constant
        )
    except json.JSONDecodeError:
        return _parse_yaml(text, name)


def _parse_yaml(text: str, name: str) -> Any:
    try:
        node = yaml.compose(text, Loader=_Composer)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        character = chr(error.character) if isinstance(error.character, int) else str(error.character)
        raise BornflowError(
            f"{name}, line {line}: character {character!r} is not allowed in YAML; is this a text file?"
        ) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}" if mark else ""
        raise BornflowError(
            f"{name}{place} cannot be read as YAML: {error.problem or error.context}; correct it"
        ) from error
    return None if node is None else _Constructor(name).value(node)


class _Composer(yaml.SafeLoader):
    """PyYAML's parser from text to nodes, with limited depth."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"nested more than {MAX_DEPTH} levels deep",
                problem_mark=self.peek_event().start_mark,
            )
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Constructor:
    """Makes the values of nodes, and rejects values that YAML would guess."""

    def __init__(self, name: str):
        self.name = name  # of the file
        self.enclosing: list[int] = []  # the nodes that contain the present one
        self.values = 0

    def error(self, node: yaml.Node, message: str) -> BornflowError:
        return BornflowError(f"{self.name}, line {node.start_mark.line + 1}: {message}")

    def value(self, node: yaml.Node) -> Any:
        """The value of a node and of all nodes in it."""
        self.values += 1
        if self.values > MAX_VALUES:
            raise self.error(
                node, f"its aliases (*) expand to over {MAX_VALUES} values; write the values themselves"
            )
        if id(node) in self.enclosing:
            raise self.error(node, "an alias (*) inside its own value makes a circle; remove it")
        self.enclosing.append(id(node))
        try:
            if isinstance(node, yaml.ScalarNode):
                return self.scalar(node)
            if isinstance(node, yaml.SequenceNode) and node.tag == TAG + "seq":
                return [self.value(item) for item in node.value]
            if isinstance(node, yaml.MappingNode) and node.tag == TAG + "map":
                return self.mapping(node)
            raise self.tag_error(node)
        finally:
            self.enclosing.pop()

    def mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        """The keys of the mapping itself, and those that `<<` adds; a key may occur only once."""
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            is_merge = key_node.tag == MERGE
            key = "<<" if is_merge else self.key(key_node)
            if key in lines:
                raise self.error(
                    key_node,
                    f"key '{key}' is given a second time (first in line {lines[key]}), and YAML would keep "
                    "only one; " + ("write <<: [*a, *b]" if is_merge else "join the two"),
                )
            lines[key] = key_node.start_mark.line + 1
            if is_merge:
                merged = self.merged(value_node)
            else:
                own[key] = self.value(value_node)
        return merged | own

    def merged(self, node: yaml.Node) -> dict[str, Any]:
        """The keys that `<<: *a` or `<<: [*a, *b]` adds; the first mapping takes precedence."""
        found = self.value(node)
        mappings = found if isinstance(found, list) else [found]
        if not all(isinstance(mapping, dict) for mapping in mappings):
            raise self.error(
                node, f"<< takes a mapping or a list of them, found {_shorten(found)}; correct it"
            )
        return {key: value for mapping in reversed(mappings) for key, value in mapping.items()}

    def key(self, node: yaml.Node) -> str:
        """A key of a mapping, which must be text: `on: 3` is rejected, `'on': 3` is not."""
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(node, "a key is a list or a mapping; keys are text, correct it")
        key = self.scalar(node)
        if not isinstance(key, str):
            raise self.error(node, f"key {node.value or 'null'} is read as {describe(key)}; {_quote(node)}")
        return key

    def scalar(self, node: yaml.ScalarNode) -> str | bool | int | float | None:
        """The value of a node by its tag, which PyYAML has guessed from the text."""
        text, tag = node.value, node.tag.removeprefix(TAG)
        if tag in ("str", "value"):
            return text
        if tag == "null":
            return None
        if tag == "bool" and text.lower() in BOOLEANS:
            return BOOLEANS[text.lower()]
        if tag == "timestamp":
            raise self.error(node, f"{text} is read as a date; {_quote(node)}")
        if tag not in ("int", "float"):
            raise self.tag_error(node)
        return self.number(node, tag)

    def number(self, node: yaml.ScalarNode, tag: str) -> int | float:
        """The value of `-1`, `1_000`, `0x1F`, `1.5e+3`; `.inf`, `010` and `1:30` are rejected."""
        text = node.value
        if BASE_60.fullmatch(text):
            raise self.error(
                node, f"{text} is read as a number to base 60; write a plain number; {_quote(node)}"
            )
        if BASE_8.fullmatch(text):
            raise self.error(
                node, f"{text} is read as a number to base 8; write it without the zero in front"
            )
        if len(text) > 3 * MAX_DIGITS or (tag == "int" and sum(map(str.isdigit, text)) > MAX_DIGITS):
            raise self.error(
                node, f"{_shorten(text)} has {len(text)} digits; no setting is that large, correct it"
            )
        plain = text.replace("_", "")
        try:
            value = int(plain, 0) if tag == "int" else float(plain)
        except ValueError:  # also .inf and .nan
            value = math.nan
        if not math.isfinite(value):
            raise self.error(node, f"{text} found, but a finite number is expected; correct it")
        return value

    def tag_error(self, node: yaml.Node) -> BornflowError:
        return self.error(
            node, f"tag {node.tag.replace(TAG, '!!')} is not allowed, only plain values are; remove it"
        )


def _quote(node: yaml.ScalarNode) -> str:
    return f"where text is meant, put it in quotes: '{node.value or 'null'}'"


def describe(value: Any) -> str:
    """What YAML has read a value as, in words: a number, a date, the truth value true."""
    if value is None:
        return "no value (null)"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, datetime.date):
        return "a date"
    return f"a {type(value).__name__}"


def _shorten(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
