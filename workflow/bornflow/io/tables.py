"""Reading CSV tables: one clear error for whatever is wrong with a file.

    table = tables.read("errors.csv", "make it again with training.metrics_table", numbers=("seed",))

Nothing is guessed: a column is a number in every row or the table is rejected, with the file, line, column
and value. Tables that bornflow writes end with a line break, so that one without was cut.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ..errors import BornflowError
from .documents import read_text

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
UNKNOWN = ("", "nan", "NaN")  # a number that is not known


def read(
    path: str | Path,
    remedy: str,
    numbers: Sequence[str] = (),
    positive: Sequence[str] = (),
    sparse: Sequence[str] = (),
    texts: Sequence[str] = (),
    notes: Sequence[str] = (),
    others: Literal["numbers", "any", "none"] = "any",
    allow_empty: bool = False,
) -> pd.DataFrame:
    """A table whose columns are what they are said to be.

    `numbers` are there in every row and finite, `positive` ones also above zero. `sparse` are numbers that
    may be unknown in some rows (an empty cell or nan), or whose column may be missing. `texts` are there in
    every row, `notes` may be empty. All `others` are sparse numbers, or any (numbers where all are, else
    text), or there are none. Names hold the unit, so that a column in another unit is a missing one.

    Raises BornflowError, ending with the `remedy`, for a table without rows unless `allow_empty`, too.
    """
    header, lines, rows = _rows(path, remedy)
    required = (*numbers, *positive, *texts, *notes)
    for name in required:
        if name not in header:
            raise BornflowError(f"{path} has no column {name}{_hint(name, header)}; {remedy}")
    unknown = [name for name in header if name not in (*required, *sparse)]
    if unknown and others == "none":
        raise BornflowError(f"{path} has an unknown column '{unknown[0]}', expected are {_list(required)}")
    if not rows and not allow_empty:
        raise BornflowError(f"{path} has a header and no rows; {remedy}")
    columns = {}
    for place, name in enumerate(header):
        cells = [row[place].strip() for row in rows]
        if name in texts or name in notes:
            columns[name] = _texts(path, name, lines, cells, name in texts, remedy)
            continue
        if name in unknown and others == "any" and not all(map(_is_number, cells)):
            columns[name] = pd.Series(cells, dtype=object)
            continue
        full = name in numbers or name in positive
        columns[name] = _numbers(path, name, lines, cells, full, name in positive, remedy)
    return pd.DataFrame(columns, columns=header)


def _rows(path: str | Path, remedy: str) -> tuple[list[str], list[int], list[list[str]]]:
    """The header, and each row with the number of its last line."""
    text = read_text(path, remedy)
    if not text.strip():
        raise BornflowError(f"{path} is empty; {remedy}")
    if not text.endswith(("\n", "\r")):
        raise BornflowError(f"{path} does not end with a line break: it may be cut; if it is whole, add one")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, lines = [], []
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise BornflowError(f"{path}, line {reader.line_num}: {error}; {remedy}") from error
    header = [name.strip() for name in rows[0]]
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise BornflowError(f"{path}: the column '{twice[0]}' is there twice; {remedy}")
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise BornflowError(
                f"{path}, line {line}: {len(row)} values found, {len(header)} expected; {remedy}"
            )
    return header, lines[1:], rows[1:]


def _texts(
    path: str | Path, name: str, lines: Iterable[int], cells: list[str], full: bool, remedy: str
) -> pd.Series:
    for line, cell in zip(lines, cells, strict=True):
        if full and not cell:
            raise BornflowError(f"{path}, line {line}: '{name}' is empty; {remedy}")
    return pd.Series(cells, dtype=object)


def _numbers(
    path: str | Path,
    name: str,
    lines: Iterable[int],
    cells: list[str],
    full: bool,
    positive: bool,
    remedy: str,
) -> pd.Series:
    """Whole numbers as integers where all are, else floats with NaN for unknown ones."""
    expected = "a number above 0" if positive else "a finite number"
    values = []
    for line, cell in zip(lines, cells, strict=True):
        value = math.nan if not full and cell in UNKNOWN else _number(cell)
        if value is None or (positive and not value > 0):
            raise BornflowError(f"{path}, line {line}: '{name}' is '{cell}', {expected} expected; {remedy}")
        values.append(value)
    if cells and all(map(WHOLE.fullmatch, cells)):
        return pd.Series([int(cell) for cell in cells], dtype=np.int64)
    return pd.Series(values, dtype=float)


def _number(cell: str) -> float | None:
    value = float(cell) if NUMBER.fullmatch(cell) else math.nan
    return value if math.isfinite(value) else None


def _is_number(cell: str) -> bool:
    return cell in UNKNOWN or _number(cell) is not None


def _hint(name: str, header: Sequence[str]) -> str:
    """What the file has in place of a missing column: the same in another unit, or all others."""
    stem = name.partition(" [")[0]
    alike = [other for other in header if other.partition(" [")[0] == stem]
    return f" but '{alike[0]}'" if alike else f" (it has {_list(header)})"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + ", ..." * (len(names) > 6)
