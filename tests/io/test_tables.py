"""Tables are read with the columns that are named, or rejected with file, line, column, value and remedy."""

import numpy as np
import pandas as pd
import pytest

from bornflow.errors import BornflowError
from bornflow.io import tables

COMPLETE = "model,atoms,time [s],note,spare\none,18,1.5,,\ntwo,36,2,late,0.5\n"
RULES = {"positive": ["atoms"], "numbers": ["time [s]"], "texts": ["model"], "notes": ["note"]}


def read(path, text, **rules):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return tables.read(path, "make it again", **(rules or RULES))


def test_columns_have_the_types_that_are_named(tmp_path):
    table = read(tmp_path / "t.csv", COMPLETE)
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
        (COMPLETE.replace("late", "spät").encode("latin1"), "line 3: byte 0xe4 is not UTF-8"),
        (COMPLETE.partition("\n")[0] + "\n", "a header and no rows"),
        (COMPLETE[:-1], "may be cut"),
        (COMPLETE[:-5], "may be cut"),
        (COMPLETE[:-10] + "\n", "line 3: 3 values found, but the header has 5 columns"),
        (COMPLETE + "three,9,1,,,7\n", "line 4: 6 values found, but the header has 5 columns"),
        (COMPLETE.replace("time [s]", "time [ms]"), r"no column time \[s\] but 'time \[ms\]'"),
        (COMPLETE.replace("time [s]", "duration"), r"no column time \[s\] \(it has model, atoms, duration"),
        (COMPLETE.replace(",", ";"), "no column .*it has model;atoms"),
        (COMPLETE.replace("note", "model"), "has the column 'model' twice"),
        (COMPLETE.replace("1.5", "nan"), r"line 2: 'time \[s\]' is 'nan', but a finite number is expected"),
        (COMPLETE.replace("1.5", ""), r"line 2: 'time \[s\]' is '', but a finite"),
        (COMPLETE.replace("1.5", "inf"), "'inf'"),
        (COMPLETE.replace("1.5", "1e999"), "'1e999'"),
        (COMPLETE.replace("1.5", '"1,5"'), "'1,5'"),
        (COMPLETE.replace("1.5", "1_000"), "'1_000'"),
        (COMPLETE.replace("1.5", "0x10"), "'0x10'"),
        (COMPLETE.replace("1.5", "a lot"), "'a lot'"),
        (COMPLETE.replace("18", "0"), "line 2: 'atoms' is '0', but a number above 0 is expected"),
        (COMPLETE.replace("18", "-18"), "'-18', but a number above 0"),
        (COMPLETE.replace("two", ""), "line 3: 'model' is empty"),
        (COMPLETE.replace("late", '"late'), "unexpected end of data"),
    ],
)
def test_a_broken_table_is_rejected(text, reason, tmp_path):
    with pytest.raises(BornflowError, match=reason) as caught:
        read(tmp_path / "t.csv", text)
    assert "\n" not in str(caught.value) and "t.csv" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "\N{BYTE ORDER MARK}" + COMPLETE,
        COMPLETE.replace("\n", "\r\n"),
        COMPLETE + "\n\n",
        COMPLETE.replace(",", " , "),
        COMPLETE.replace("one", '"one"'),
    ],
    ids=["mark", "Windows", "blank lines", "blanks", "quotes"],
)
def test_other_spellings_of_a_table_are_read(text, tmp_path):
    pd.testing.assert_frame_equal(read(tmp_path / "a.csv", text), read(tmp_path / "b.csv", COMPLETE))


def test_other_columns_are_checked(tmp_path):
    text = COMPLETE.replace("0.5", "half")
    assert read(tmp_path / "t.csv", text)["spare"].tolist() == ["", "half"]
    with pytest.raises(BornflowError, match="line 3: 'spare' is 'half'"):
        read(tmp_path / "t.csv", text, **RULES, others="numbers")
    with pytest.raises(BornflowError, match="unknown column 'spare'"):
        read(tmp_path / "t.csv", text, **RULES, others="none")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BornflowError, match=r"none\.csv: no such file; make it again"):
        tables.read(tmp_path / "none.csv", "make it again")
