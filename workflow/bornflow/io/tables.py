"""Reader of CSV tables, with one clear error for every fault.

    table = tables.read("errors.csv", "make it again with training.metrics_table", numbers=("seed",))

No value is guessed: a column is a number in every row, or the table is rejected with file, line, column and
value. Tables that bornflow writes end with a line break, so a table without one was cut.
"""

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ..errors import BornflowError
from .documents import read_text

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")  # 1, 1., .5, -1.5e-3
INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
UNKNOWN = ("", "nan", "NaN")  # a number that is not known


@dataclass(frozen=True)
class _Cells:
    """A column as text, with its file, name and remedy for messages."""

    path: str | Path
    name: str
    lines: list[int]
    cells: list[str]
    remedy: str

    def error(self, line: int, message: str) -> BornflowError:
        return BornflowError(f"{self.path}, line {line}: '{self.name}' {message}; {self.remedy}")

    def texts(self, complete: bool) -> pd.Series:
        """The cells as text; no cell may be empty if the column is `complete`."""
        for line, cell in zip(self.lines, self.cells, strict=True):
            if complete and not cell:
                raise self.error(line, "is empty")
        return pd.Series(self.cells, dtype=object)

    def numbers(self, complete: bool, positive: bool) -> pd.Series:
        """Integers if all cells are, otherwise floats, NaN where unknown; `complete` allows no unknown."""
        expected = "a number above 0" if positive else "a finite number"
        values = []
        for line, cell in zip(self.lines, self.cells, strict=True):
            value = math.nan if not complete and cell in UNKNOWN else _parse_number(cell)
            if value is None or (positive and not value > 0):
                raise self.error(line, f"is '{cell}', but {expected} is expected")
            values.append(value)
        if self.cells and all(map(INTEGER.fullmatch, self.cells)):
            return pd.Series([int(cell) for cell in self.cells], dtype=np.int64)
        return pd.Series(values, dtype=float)


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
    """Read a table and check that it has the columns in the arguments.

    numbers   must be present; a finite number in every row
    positive  must be present; a finite number above zero in every row
    sparse    may be missing; a number in each row, or unknown (an empty cell or nan)
    texts     must be present; a text in every row
    notes     must be present; a text, or an empty cell
    others    all other columns: "numbers" (as `sparse`), "any" (numbers if all cells are, else text), "none"

    Names include the unit, so a column in another unit counts as missing. Raises BornflowError, which ends
    with the `remedy`, for any other content, and for a table without rows unless `allow_empty`.
    """
    header, lines, rows = _read_rows(path, remedy)
    required = (*numbers, *positive, *texts, *notes)
    for name in required:
        if name not in header:
            raise BornflowError(f"{path} has no column {name}{_hint(name, header)}; {remedy}")
    unknown = [name for name in header if name not in (*required, *sparse)]
    if unknown and others == "none":
        raise BornflowError(
            f"{path} has an unknown column '{unknown[0]}', but only {_list(required)} are expected; remove it"
        )
    if not rows and not allow_empty:
        raise BornflowError(f"{path} has a header and no rows; {remedy}")
    columns = {}
    for index, name in enumerate(header):
        column = _Cells(path, name, lines, [row[index].strip() for row in rows], remedy)
        if name in texts or name in notes:
            columns[name] = column.texts(complete=name in texts)
        elif name in unknown and others == "any" and not all(map(_may_be_number, column.cells)):
            columns[name] = column.texts(complete=False)
        else:
            columns[name] = column.numbers(name in numbers or name in positive, name in positive)
    return pd.DataFrame(columns, columns=header)


def _read_rows(path: str | Path, remedy: str) -> tuple[list[str], list[int], list[list[str]]]:
    """The header, the number of the last line of each row, and the rows."""
    text = read_text(path, remedy)
    if not text.strip():
        raise BornflowError(f"{path} is empty; {remedy}")
    if not text.endswith(("\n", "\r")):
        raise BornflowError(
            f"{path} does not end with a line break, so it may be cut; {remedy}, or add the line break if "
            "the table is complete"
        )
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
    repeated = [name for name in header if header.count(name) > 1]
    if repeated:
        raise BornflowError(f"{path} has the column '{repeated[0]}' twice; {remedy}")
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise BornflowError(
                f"{path}, line {line}: {len(row)} values found, but the header has {len(header)} columns; "
                f"{remedy}"
            )
    return header, lines[1:], rows[1:]


def _parse_number(cell: str) -> float | None:
    value = float(cell) if NUMBER.fullmatch(cell) else math.nan
    return value if math.isfinite(value) else None


def _may_be_number(cell: str) -> bool:
    return cell in UNKNOWN or _parse_number(cell) is not None


def _hint(name: str, header: Sequence[str]) -> str:
    """A hint at a missing column: the same quantity in another unit, or all columns of the file."""
    quantity = name.partition(" [")[0]
    similar = [other for other in header if other.partition(" [")[0] == quantity]
    return f" but '{similar[0]}'" if similar else f" (it has {_list(header)})"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + ", ..." * (len(names) > 6)
