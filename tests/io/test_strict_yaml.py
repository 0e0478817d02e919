"""Strict YAML: plain data is read as by PyYAML; values that it would lose, guess or run are rejected."""

import pytest
import yaml
from examples import ROOT

from bornflow.errors import BornflowError
from bornflow.io import strict_yaml

CONFIGS = sorted((ROOT / "config").rglob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations_are_read_as_by_pyyaml(path):
    assert strict_yaml.read(path) == yaml.safe_load(path.read_text())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("# a comment\n", {}),
        ("---\n...\n", {}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: yes\nb: 'no'\nc: ~", {"a": True, "b": "no", "c": None}),
        (
            "a: -1\nb: 1_000\nc: 0x1F\nd: 1.5e+3\ne: 1e-7",
            {"a": -1, "b": 1000, "c": 31, "d": 1500.0, "e": "1e-7"},
        ),
        (
            "a: '1:30'\nb: '010'\nc: '2024-01-01'\nd: !!str 1",
            {"a": "1:30", "b": "010", "c": "2024-01-01", "d": "1"},
        ),
        ("<<: [{a: 1}, {a: 2, b: 3}]\nc: 4\nb: 5", {"a": 1, "b": 5, "c": 4}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ('{"a": {"b": [1, 2.5, null, true]}}', {"a": {"b": [1, 2.5, None, True]}}),
        ("{a: 1, b: c}", {"a": 1, "b": "c"}),
    ],
)
def test_plain_data_is_read(text, value):
    assert strict_yaml.parse(text, "c.yaml") == value


BOMB = "a0: &a0 [x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: key 'a' is given a second time (first in line 1)"),
        ("t:\n  a: 1\n  a: 1", "line 3: key 'a' is given a second time"),
        ("<<: {a: 1}\n<<: {b: 2}", "<<: [*a, *b]"),
        ("t: {on: 3}", "key on is read as the truth value true; where text is meant, put it in quotes: 'on'"),
        ("no: 1", "key no is read as the truth value false"),
        ("t:\n  1: 2", "line 2: key 1 is read as a number"),
        ("null: 2", "key null is read as no value"),
        ("2024-01-01: 2", "2024-01-01 is read as a date"),
        ("? [a]\n: 1", "a key is a list or a mapping"),
        ("a: 1\nb: 1:30", "line 2: 1:30 is read as a number to base 60"),
        ("a: 12:30:45.6", "to base 60"),
        ("a: 010", "010 is read as a number to base 8"),
        ("a: 2024-01-01", "is read as a date; where text is meant"),
        ("a: .inf", "but a finite number is expected"),
        ("a: -.INF", "but a finite number is expected"),
        ("a: [.nan]", "but a finite number is expected"),
        ("a: 1.0e+999", "but a finite number is expected"),
        (f"a: {'9' * 6000}", "has 6000 digits"),
        ("a: !foo b", "tag !foo is not allowed"),
        ("a: !!python/object/apply:os.getcwd []", "is not allowed"),
        ("a: !!binary aGk=", "tag !!binary is not allowed"),
        ("a: !!set {x}", "tag !!set is not allowed"),
        ("a: !!int x", "but a finite number is expected"),
        ("a: &x [1, *x]", "makes a circle"),
        ("a: &x {b: {c: *x}}", "makes a circle"),
        ("a: *x", "undefined alias"),
        (BOMB, "expand to over 50000 values"),
        (f"a: {'[' * 20000}", "nested more than 50 levels"),
        (f"a: {'{a: ' * 20000}", "nested more than 50 levels"),
        ("- 1", "sections such as `training:` are expected at the top, found [1]"),
        ("words", "found words"),
        ("a: [1", "line 1 cannot be read as YAML"),
        ("a: 1\n\tb: 2", "line 2 cannot be read as YAML"),
        ("a: 1\n---\nb: 2", "another document"),
        ("a: 1\nb: \x01", "line 2: character '\\x01' is not allowed"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "key 'c' is given twice"),
        ('{"a": NaN}', "NaN found"),
        ('{"a": 1e999}', "1e999 found, but a finite number"),
        ('{"a": ' + "[" * 100000, "nested"),
        ('{"a": ' + "9" * 6000 + "}", "a number of 6000 digits"),
    ],
)
def test_ambiguous_or_unsafe_yaml_is_rejected(text, words):
    with pytest.raises(BornflowError) as error:
        strict_yaml.parse(text, "c.yaml")
    assert str(error.value).startswith("c.yaml")
    assert words in str(error.value)
    assert len(str(error.value)) < 250
    assert "\n" not in str(error.value)


def test_files_that_are_not_text_are_named(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes(b"a: 1\nb: fl\xfcssig\n")
    with pytest.raises(
        BornflowError, match=r"c\.yaml, line 2: byte 0xfc is not UTF-8; save the file as UTF-8"
    ):
        strict_yaml.read(path)
    with pytest.raises(BornflowError, match=f"{tmp_path}: Is a directory; a configuration file"):
        strict_yaml.read(tmp_path)
    with pytest.raises(BornflowError, match=r"none\.yaml: No such file"):
        strict_yaml.read(tmp_path / "none.yaml")
