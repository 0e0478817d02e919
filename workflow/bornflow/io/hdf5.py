"""Reading HDF5 files of our own: one clear error for whatever is wrong with them.

What a file holds is said in tables of rules (`Attribute`, `Dataset`); what a file says otherwise is rejected
with its name, what was found and what is expected.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from ..errors import BornflowError


@dataclass(frozen=True)
class Attribute:
    """What an attribute may be: `kind` is number, whole, text, flag or vector (three numbers).

    Numbers are finite, at least `least` and larger than `above`; NaN may stand for none if `may_be_nan`.
    """

    kind: str
    least: float = -np.inf
    above: float = -np.inf
    choices: tuple[str, ...] = ()
    may_be_nan: bool = False

    def takes(self, value) -> bool:
        """Whether the value is one that the rule allows."""
        if self.kind == "text":
            return isinstance(value, str) and (not self.choices or value in self.choices)
        if self.kind == "flag":
            return isinstance(value, bool | np.bool_)
        if self.kind == "vector":
            value = np.asarray(value)
            return value.shape == (3,) and value.dtype.kind in "fiu" and bool(np.isfinite(value).all())
        kinds = (int, np.integer) if self.kind == "whole" else (int, float, np.integer, np.floating)
        if isinstance(value, bool | np.bool_) or not isinstance(value, kinds):
            return False
        if np.isnan(value):
            return self.may_be_nan
        return bool(np.isfinite(value) and value >= self.least and value > self.above)

    def __str__(self) -> str:
        """What is expected, in words."""
        if self.choices:
            return " or ".join(self.choices)
        words = {"whole": "a whole number", "flag": "true or false", "vector": "three finite numbers"}
        said = words.get(self.kind, "text" if self.kind == "text" else "a finite number")
        if np.isfinite(self.least):
            said += f" of {self.least:g} or more"
        return said + (f" above {self.above:g}" if np.isfinite(self.above) else "")


@dataclass(frozen=True)
class Dataset:
    """What a dataset may be: its unit (None: it has none), the shape of an item, and limits of its values."""

    unit: str | None
    item: tuple[int | None, ...] = ()  # None: any length
    least: float = -np.inf
    most: float = np.inf
    whole: bool = False


class Attributes(dict):
    """Attributes by name; one that is asked for and missing is a BornflowError with the file and a remedy."""

    def __init__(self, path: Path, remedy: str, values: dict):
        super().__init__(values)
        self.path, self.remedy = path, remedy

    def __missing__(self, name: str):
        stem = name.partition(" [")[0]
        alike = [other for other in self if other.partition(" [")[0] == stem]
        hint = f", but '{alike[0]}'" if alike else ""
        raise BornflowError(f"{self.path} has no attribute '{name}'{hint}; {self.remedy}")


@contextlib.contextmanager
def opened(path: str | Path, remedy: str) -> Iterator[h5py.File]:
    """The file, open for reading. Raises BornflowError where HDF5 cannot read it, now or in the block."""
    if not Path(path).exists():
        raise BornflowError(f"{path}: no such file; {remedy}")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:  # h5py raises all of these
        reason = " ".join(str(error).split())
        raise BornflowError(
            f"{path} cannot be read as HDF5 ({reason}): it is damaged, cut or of another kind; {remedy}"
        ) from error


def attributes(file: h5py.File, rules: dict[str, Attribute], remedy: str) -> Attributes:
    """All attributes of the file; BornflowError for one that its rule does not allow."""
    found = Attributes(Path(file.filename), remedy, dict(file.attrs))
    for name, rule in rules.items():
        if name in found and not rule.takes(found[name]):
            raise BornflowError(
                f"{found.path}: attribute '{name}' is {found[name]!r}, {rule} expected; {remedy}"
            )
    return found


def member(file: h5py.File, name: str, rule: Dataset, remedy: str) -> h5py.Dataset:
    """A dataset with the unit and the shape that `rule` says, not read yet; the first axis is free."""
    path = file.filename
    if name not in file:
        raise BornflowError(f"{path} holds no {name}; {remedy}")
    data = file[name]
    if not isinstance(data, h5py.Dataset):
        raise BornflowError(f"{path}: {name} is a group, a dataset expected; {remedy}")
    if data.dtype.kind not in "fiu":
        raise BornflowError(f"{path}: {name} holds {data.dtype}, numbers expected; {remedy}")
    unit = data.attrs.get("unit")
    if rule.unit is not None and (not isinstance(unit, str) or unit != rule.unit):
        found = "no unit" if unit is None else f"the unit {unit!r}"
        raise BornflowError(f"{path}: {name} has {found}, {rule.unit!r} expected; {remedy}")
    fits = len(data.shape) == 1 + len(rule.item) and all(
        wanted is None or wanted == length for wanted, length in zip(rule.item, data.shape[1:], strict=True)
    )
    if not fits:
        wanted = ", ".join(["…", *("…" if length is None else str(length) for length in rule.item)])
        raise BornflowError(f"{path}: {name} has the shape {data.shape}, ({wanted}) expected; {remedy}")
    return data


def values(data: h5py.Dataset, name: str, rule: Dataset, remedy: str) -> np.ndarray:
    """The values of a dataset, finite and within limits; BornflowError with the place of others."""
    found = data[:]
    right = np.isfinite(found) & (found >= rule.least) & (found <= rule.most)
    if rule.whole:
        right &= found == np.round(found)
    if not right.all():
        place = tuple(int(index[0]) for index in np.nonzero(~right))
        expected = "a whole number" if rule.whole else "a finite number"
        expected += f" of {rule.least:g} or more" if np.isfinite(rule.least) else ""
        expected += f" and {rule.most:g} or less" if np.isfinite(rule.most) else ""
        raise BornflowError(
            f"{data.file.filename}: {name} is {found[place]} at {list(place)} (from 0), {expected} expected; "
            f"{remedy}"
        )
    return found.astype(int) if rule.whole else found
