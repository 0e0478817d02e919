"""JSON and YAML files are read as mappings of what is expected, or rejected in one line."""

import pytest

from bornflow.errors import BornflowError
from bornflow.io import documents

NEEDED = {"name": str, "seed": int, "error": float}


@pytest.mark.parametrize(
    "text", ['{"name": "a", "seed": 3, "error": 2}', '{"name": "ä", "seed": 3, "error": 2.5}']
)
def test_both_formats_hold_the_same(text, tmp_path):
    (tmp_path / "d").write_text(text, encoding="utf-8")
    one, two = (read(tmp_path / "d", NEEDED, "") for read in (documents.read_json, documents.read_yaml))
    assert one == two and set(one) == set(NEEDED)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "no whole JSON file"),
        (b'{"name": "a", "se', "no whole JSON file"),
        ('{"name": "ü"}'.encode("latin1"), "line 1: byte 0xfc is not UTF-8"),
        (b"[1, 2]", r"holds \[1, 2\], a mapping expected"),
        (b"7", "holds 7, a mapping"),
        (b'{"name": "a", "error": 1}', r"holds no 'seed' \(a whole number\)"),
        (b'{"name": "a", "seed": "3", "error": 1}', "'seed' is '3', a whole number expected"),
        (b'{"name": "a", "seed": true, "error": 1}', "'seed' is True, a whole number"),
        (b'{"name": 5, "seed": 3, "error": 1}', "'name' is 5, text expected"),
        (b'{"name": "a", "seed": 3, "error": NaN}', "NaN found, a finite number"),
        (b'{"name": "a", "seed": 3, "error": 1e999}', "'error' is inf, a finite number"),
        (b'{"name": "a", "seed": 3, "seed": 4, "error": 1}', "the key 'seed' is given twice"),
        (b'{"a":' * 100_000, "no whole JSON file"),
        (b'{"name": "a", "seed": ' + b"9" * 6000 + b', "error": 1}', "no whole JSON file"),
        (b"\x00\x01\x02", "is a binary file"),
    ],
)
def test_a_broken_json_file_is_rejected(text, reason, tmp_path):
    (tmp_path / "d.json").write_bytes(text)
    with pytest.raises(BornflowError, match=reason) as caught:
        documents.read_json(tmp_path / "d.json", NEEDED, "make it again")
    assert "\n" not in str(caught.value) and "d.json" in str(caught.value)
    assert str(caught.value).endswith("make it again")


@pytest.mark.parametrize(
    "text",
    [b"", b"name: [", b"name: \xfc", b"- 1", b"name: a\nname: b\nseed: 3\nerror: 1", b"name: a\nseed: .nan",
     b"a: &a [*a]", b"name: !!python/object:os.system a", b"{" * 10_000],
)  # fmt: skip
def test_a_broken_yaml_file_is_rejected(text, tmp_path):
    (tmp_path / "d.yaml").write_bytes(text)
    with pytest.raises(BornflowError, match=r"d\.yaml.*make it again"):
        documents.read_yaml(tmp_path / "d.yaml", NEEDED, "make it again")
