"""Reading YAML (and JSON) so that nothing in it is lost, guessed or run.

PyYAML keeps the last of two keys of one name, reads `1:30` as 90, `010` as 8 and `no` as false, and follows
`&` and `*` wherever they lead. Here each of these ends in a BornflowError with file, line, value and remedy.
"""

import datetime
import json
import math
import re
from pathlib import Path

import yaml

from ..errors import BornflowError

DEEPEST = 50  # levels of nesting; ours have six
MOST = 50_000  # values with all aliases written out; a few short lines could stand for billions
DIGITS = 18  # of a whole number: every one of ours is far below
TAG = "tag:yaml.org,2002:"
MERGE = TAG + "merge"  # <<
TRUTHS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
OCTAL = re.compile(r"[-+]?0[0-9_]+")


def read(path: str | Path) -> dict:
    """The mapping that a YAML or JSON file holds; an empty file, or one of comments only, holds none.

    Raises BornflowError, which names file, line, value and remedy, for all that is not plain data: keys that
    stand twice or are no text, numbers to base 8 or 60, dates, infinite numbers, tags, circles.
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


def parse(text: str, name: str) -> dict:
    """The mapping that `text` holds; errors call it `name`. See `read`."""
    try:
        value = _json(text, name) if text.lstrip().startswith("{") else _yaml(text, name)
    except RecursionError as error:
        raise BornflowError(f"{name}: nested too deeply, {DEEPEST} levels are allowed") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BornflowError(
            f"{name}: sections such as `training:` are expected at the top, found {_cut(value)}"
        )
    return value


def _json(text: str, name: str):
    """JSON, or YAML that only begins like it."""

    def pairs(items: list[tuple[str, object]]) -> dict:
        for number, (key, _) in enumerate(items):
            if key in dict(items[:number]):
                raise BornflowError(f"{name}: key '{key}' stands twice in one place; join the two")
        return dict(items)

    def number(digits: str):
        if len(digits) > DIGITS:
            raise BornflowError(f"{name}: a number of {len(digits)} digits; no setting is so large")
        return int(digits)

    def fraction(text: str) -> float:
        return float(text) if math.isfinite(float(text)) else constant(text)

    def constant(word: str):
        raise BornflowError(f"{name}: {word} found, a finite number expected")

    try:
        return json.loads(
            text, object_pairs_hook=pairs, parse_int=number, parse_float=fraction, parse_constant=constant
        )
    except json.JSONDecodeError:
        return _yaml(text, name)


def _yaml(text: str, name: str):
    try:
        return _Reader(name).read(text)
    except yaml.reader.ReaderError as error:
        place = text.count("\n", 0, error.position) + 1
        raise BornflowError(
            f"{name}, line {place}: character {_character(error)!r} is not allowed in YAML; "
            "is this a text file?"
        ) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}" if mark else ""
        raise BornflowError(
            f"{name}{place} cannot be read as YAML: {error.problem or error.context}"
        ) from error


class _Loader(yaml.SafeLoader):
    """PyYAML's composer, which says where it is nested too deeply."""

    depth = 0

    def compose_node(self, parent, index):
        self.depth += 1
        if self.depth > DEEPEST:
            raise yaml.MarkedYAMLError(
                problem=f"nested more than {DEEPEST} levels deep", problem_mark=self.peek_event().start_mark
            )
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Reader:
    """Makes values of the nodes that PyYAML finds."""

    def __init__(self, name: str):
        self.name = name
        self.above: list[int] = []  # nodes that the present one lies in
        self.made = 0

    def read(self, text: str):
        node = yaml.compose(text, Loader=_Loader)
        return None if node is None else self.value(node)

    def wrong(self, node: yaml.Node, words: str) -> BornflowError:
        return BornflowError(f"{self.name}, line {node.start_mark.line + 1}: {words}")

    def value(self, node: yaml.Node):
        self.made += 1
        if self.made > MOST:
            raise self.wrong(node, f"its aliases (*) stand for over {MOST} values; write out what is meant")
        if id(node) in self.above:
            raise self.wrong(node, "an alias (*) inside of what it stands for makes a circle; take it out")
        self.above.append(id(node))
        try:
            if isinstance(node, yaml.ScalarNode):
                return self.scalar(node)
            many = isinstance(node, yaml.SequenceNode)
            if node.tag != TAG + ("seq" if many else "map"):
                raise self.tagged(node)
            return [self.value(item) for item in node.value] if many else self.mapping(node)
        finally:
            self.above.pop()

    def mapping(self, node: yaml.MappingNode) -> dict:
        own: dict[str, object] = {}
        lines: dict[str, int] = {}
        merged: dict[str, object] = {}
        for key_node, value_node in node.value:
            merging = key_node.tag == MERGE
            key = "<<" if merging else self.key(key_node)
            if key in lines:
                raise self.wrong(
                    key_node,
                    f"key '{key}' stands a second time, first in line {lines[key]}, and only one would "
                    "count; " + ("write <<: [*a, *b]" if merging else "join the two"),
                )
            lines[key] = key_node.start_mark.line + 1
            if merging:
                merged = self.merged(value_node)
            else:
                own[key] = self.value(value_node)
        return merged | own

    def merged(self, node: yaml.Node) -> dict:
        """What `<<` adds; of several mappings the first one counts."""
        found = self.value(node)
        parts = found if isinstance(found, list) else [found]
        if not all(isinstance(part, dict) for part in parts):
            raise self.wrong(node, f"<< takes a mapping or a list of them, found {_cut(found)}")
        return {key: value for part in reversed(parts) for key, value in part.items()}

    def key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self.wrong(node, "a key is a list or a mapping; keys are text")
        found = self.scalar(node)
        if not isinstance(found, str):
            raise self.wrong(node, f"key {node.value or 'null'} is read as {kind(found)}; {_quote(node)}")
        return found

    def scalar(self, node: yaml.ScalarNode):
        text, tag = node.value, node.tag.removeprefix(TAG)
        if tag in ("str", "value"):
            return text
        if tag == "null":
            return None
        if tag == "bool" and text.lower() in TRUTHS:
            return TRUTHS[text.lower()]
        if tag == "timestamp":
            raise self.wrong(node, f"{text} is read as a date; {_quote(node)}")
        if tag not in ("int", "float"):
            raise self.tagged(node)
        if BASE_60.fullmatch(text):
            raise self.wrong(
                node, f"{text} is read as a number to base 60; write a plain number; {_quote(node)}"
            )
        if OCTAL.fullmatch(text):
            raise self.wrong(
                node, f"{text} is read as a number to base 8; write it without the zero in front"
            )
        if len(text) > 3 * DIGITS or (tag == "int" and sum(map(str.isdigit, text)) > DIGITS):
            raise self.wrong(node, f"{_cut(text)} has {len(text)} digits; no setting is so large")
        return self.number(node, tag)

    def number(self, node: yaml.ScalarNode, tag: str) -> int | float:
        text = node.value.replace("_", "")
        try:
            value = (
                int(text, 0) if tag == "int" else float(text.replace(".inf", "inf").replace(".nan", "nan"))
            )
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.wrong(node, f"{node.value} found, a finite number expected")
        return value

    def tagged(self, node: yaml.Node) -> BornflowError:
        return self.wrong(
            node, f"tag {node.tag.replace(TAG, '!!')} is not taken: plain values only; take it out"
        )


def _character(error: yaml.reader.ReaderError) -> str:
    found = error.character
    return chr(found) if isinstance(found, int) else str(found)


def _quote(node: yaml.ScalarNode) -> str:
    return f"where text is meant, put it in quotes: '{node.value or 'null'}'"


def kind(value) -> str:
    """What YAML took for this value, in words."""
    if value is None:
        return "no value (null)"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, datetime.date):
        return "a date"
    return f"a {type(value).__name__}"


def _cut(value) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
