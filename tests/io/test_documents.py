"""JSON and YAML files are read as mappings with the expected keys, or rejected in one line."""

import pytest

from bornflow.errors import BornflowError
from bornflow.io import documents

REQUIRED = {"name": str, "seed": int, "error": float}


@pytest.mark.parametrize(
    "text", ['{"name": "a", "seed": 3, "error": 2}', '{"name": "ä", "seed": 3, "error": 2.5}']
)
def test_both_formats_give_the_same_mapping(text, tmp_path):
    (tmp_path / "d").write_text(text, encoding="utf-8")
    one, two = (read(tmp_path / "d", REQUIRED, "") for read in (documents.read_json, documents.read_yaml))
    assert one == two and set(one) == set(REQUIRED)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not a complete JSON file"),
        (b'{"name": "a", "se', "not a complete JSON file"),
        ('{"name": "ü"}'.encode("latin1"), "line 1: byte 0xfc is not UTF-8"),
        (b"[1, 2]", r"contains \[1, 2\], but a mapping is expected"),
        (b"7", "contains 7, but a mapping is"),
        (b'{"name": "a", "error": 1}', r"has no 'seed' \(an integer\)"),
        (b'{"name": "a", "seed": "3", "error": 1}', "'seed' is '3', but an integer is expected"),
        (b'{"name": "a", "seed": true, "error": 1}', "'seed' is True, but an integer"),
        (b'{"name": 5, "seed": 3, "error": 1}', "'name' is 5, but text is expected"),
        (b'{"name": "a", "seed": 3, "error": NaN}', "NaN found, but a finite number"),
        (b'{"name": "a", "seed": 3, "error": 1e999}', "'error' is inf, but a finite number"),
        (b'{"name": "a", "seed": 3, "seed": 4, "error": 1}', "the key 'seed' is given twice"),
        (b'{"a":' * 100_000, "not a complete JSON file"),
        (b'{"name": "a", "seed": ' + b"9" * 6000 + b', "error": 1}', "not a complete JSON file"),
        (b"\x00\x01\x02", "is a binary file"),
    ],
)
def test_a_broken_json_file_is_rejected(text, reason, tmp_path):
    (tmp_path / "d.json").write_bytes(text)
    with pytest.raises(BornflowError, match=reason) as caught:
        documents.read_json(tmp_path / "d.json", REQUIRED, "make it again")
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
        documents.read_yaml(tmp_path / "d.yaml", REQUIRED, "make it again")
