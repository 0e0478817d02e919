"""Tables are read as they are said to be, or rejected with file, line, column, value and remedy."""

import numpy as np
import pandas as pd
import pytest

from bornflow.errors import BornflowError
from bornflow.io import tables

WHOLE = "model,atoms,time [s],note,spare\none,18,1.5,,\ntwo,36,2,late,0.5\n"
RULES = {"positive": ["atoms"], "numbers": ["time [s]"], "texts": ["model"], "notes": ["note"]}


def read(path, text, **rules):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return tables.read(path, "make it again", **(rules or RULES))


def test_a_table_is_what_was_written(tmp_path):
    table = read(tmp_path / "t.csv", WHOLE)
    assert list(table) == ["model", "atoms", "time [s]", "note", "spare"]
    assert table["atoms"].tolist() == [18, 36] and table["atoms"].dtype == np.int64
    assert table["time [s]"].tolist() == [1.5, 2.0]
    assert table["note"].tolist() == ["", "late"]
    assert np.isnan(table["spare"][0]) and table["spare"][1] == 0.5


def test_every_number_survives_a_round_trip(tmp_path):
    values = np.random.default_rng(0).normal(size=200) * 10.0 ** np.arange(-100, 100)
    pd.DataFrame({"x": values}).to_csv(tmp_path / "t.csv", index=False)
    np.testing.assert_array_equal(tables.read(tmp_path / "t.csv", "", numbers=["x"])["x"], values)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "t.csv is empty"),
        ("\n \n", "t.csv is empty"),
        (b"\x89HDF\r\n\x1a\n\x00\x00", "line 1: byte 0x89 is not UTF-8"),
        (b"PK\x03\x04\x00\x00", "is a binary file"),
        (WHOLE.replace("late", "spät").encode("latin1"), "line 3: byte 0xe4 is not UTF-8"),
        (WHOLE.partition("\n")[0] + "\n", "a header and no rows"),
        (WHOLE[:-1], "may be cut"),
        (WHOLE[:-5], "may be cut"),
        (WHOLE[:-10] + "\n", "line 3: 3 values found, but the header has 5 columns"),
        (WHOLE + "three,9,1,,,7\n", "line 4: 6 values found, but the header has 5 columns"),
        (WHOLE.replace("time [s]", "time [ms]"), r"no column time \[s\] but 'time \[ms\]'"),
        (WHOLE.replace("time [s]", "duration"), r"no column time \[s\] \(it has model, atoms, duration"),
        (WHOLE.replace(",", ";"), "no column .*it has model;atoms"),
        (WHOLE.replace("note", "model"), "has the column 'model' twice"),
        (WHOLE.replace("1.5", "nan"), r"line 2: 'time \[s\]' is 'nan', but a finite number is expected"),
        (WHOLE.replace("1.5", ""), r"line 2: 'time \[s\]' is '', but a finite"),
        (WHOLE.replace("1.5", "inf"), "'inf'"),
        (WHOLE.replace("1.5", "1e999"), "'1e999'"),
        (WHOLE.replace("1.5", '"1,5"'), "'1,5'"),
        (WHOLE.replace("1.5", "1_000"), "'1_000'"),
        (WHOLE.replace("1.5", "0x10"), "'0x10'"),
        (WHOLE.replace("1.5", "a lot"), "'a lot'"),
        (WHOLE.replace("18", "0"), "line 2: 'atoms' is '0', but a number above 0 is expected"),
        (WHOLE.replace("18", "-18"), "'-18', but a number above 0"),
        (WHOLE.replace("two", ""), "line 3: 'model' is empty"),
        (WHOLE.replace("late", '"late'), "unexpected end of data"),
    ],
)
def test_a_broken_table_is_rejected(text, reason, tmp_path):
    with pytest.raises(BornflowError, match=reason) as caught:
        read(tmp_path / "t.csv", text)
    assert "\n" not in str(caught.value) and "t.csv" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "\N{BYTE ORDER MARK}" + WHOLE,
        WHOLE.replace("\n", "\r\n"),
        WHOLE + "\n\n",
        WHOLE.replace(",", " , "),
        WHOLE.replace("one", '"one"'),
    ],
    ids=["mark", "Windows", "blank lines", "blanks", "quotes"],
)
def test_other_ways_to_write_the_same_table(text, tmp_path):
    pd.testing.assert_frame_equal(read(tmp_path / "a.csv", text), read(tmp_path / "b.csv", WHOLE))


def test_other_columns_are_what_the_reader_allows(tmp_path):
    text = WHOLE.replace("0.5", "half")
    assert read(tmp_path / "t.csv", text)["spare"].tolist() == ["", "half"]
    with pytest.raises(BornflowError, match="line 3: 'spare' is 'half'"):
        read(tmp_path / "t.csv", text, **RULES, others="numbers")
    with pytest.raises(BornflowError, match="unknown column 'spare'"):
        read(tmp_path / "t.csv", text, **RULES, others="none")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BornflowError, match=r"none\.csv: no such file; make it again"):
        tables.read(tmp_path / "none.csv", "make it again")
