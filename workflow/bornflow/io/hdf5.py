"""Reader of bornflow's HDF5 files, with one clear error for every fault.

    with hdf5.open_file("run.h5", "run dynamics.md again") as file:
        attributes = hdf5.read_attributes(file, {"timestep [fs]": AttributeRule("number", above=0)}, remedy)

Tables of rules (`AttributeRule`, `DatasetRule`) describe what a file contains. Other content is rejected; the
message names the file, the content found and the content expected, and ends with the caller's remedy.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from jaxtyping import Shaped

from ..errors import BornflowError


@dataclass(frozen=True)
class AttributeRule:
    """Rule for an attribute: a number, integer, text, flag (true or false) or vector (three numbers).

    Numbers are finite, at least `minimum` and larger than `above`. `may_be_nan` allows NaN (no value).
    """

    type: Literal["number", "integer", "text", "flag", "vector"]
    minimum: float = -np.inf
    above: float = -np.inf
    choices: tuple[str, ...] = ()
    may_be_nan: bool = False

    def allows(self, value: Any) -> bool:
        """Whether the value follows the rule."""
        if self.type == "text":
            return isinstance(value, str) and (not self.choices or value in self.choices)
        if self.type == "flag":
            return isinstance(value, bool | np.bool_)
        if self.type == "vector":
            vector = np.asarray(value)
            return vector.shape == (3,) and vector.dtype.kind in "fiu" and bool(np.isfinite(vector).all())
        types = (int, np.integer) if self.type == "integer" else (int, float, np.integer, np.floating)
        if isinstance(value, bool | np.bool_) or not isinstance(value, types):
            return False
        if np.isnan(value):
            return self.may_be_nan
        return bool(np.isfinite(value) and value >= self.minimum and value > self.above)

    def __str__(self) -> str:
        """The expected value, in words."""
        if self.choices:
            return " or ".join(self.choices)
        if self.type == "text":
            return "text"
        if self.type == "flag":
            return "true or false"
        if self.type == "vector":
            return "a list of three finite numbers"
        words = "an integer" if self.type == "integer" else "a finite number"
        if np.isfinite(self.minimum):
            words += f" of {self.minimum:g} or more"
        return words + (f" above {self.above:g}" if np.isfinite(self.above) else "")


@dataclass(frozen=True)
class DatasetRule:
    """Rule for a dataset: its unit (None: no unit), the shape of an item, and limits of its values.

    The first axis of a dataset counts the items and may have any length.
    """

    unit: str | None
    item: tuple[int | None, ...] = ()  # None: any length
    minimum: float = -np.inf
    maximum: float = np.inf
    integer: bool = False

    def describe_values(self) -> str:
        """The expected values, in words."""
        words = "an integer" if self.integer else "a finite number"
        words += f" of {self.minimum:g} or more" if np.isfinite(self.minimum) else ""
        return words + (f" and {self.maximum:g} or less" if np.isfinite(self.maximum) else "")


class Attributes(dict):
    """Attributes by name. Looking up a missing one raises BornflowError with the file and the remedy."""

    def __init__(self, path: Path, remedy: str, values: Mapping[str, Any]):
        super().__init__(values)
        self.path, self.remedy = path, remedy

    def __missing__(self, name: str) -> Any:
        quantity = name.partition(" [")[0]  # without the unit
        similar = [other for other in self if other.partition(" [")[0] == quantity]
        hint = f", but '{similar[0]}'" if similar else ""
        raise BornflowError(f"{self.path} has no attribute '{name}'{hint}; {self.remedy}")


@contextlib.contextmanager
def open_file(path: str | Path, remedy: str) -> Iterator[h5py.File]:
    """Open a file for reading. Raises BornflowError if HDF5 cannot read it, now or inside the block."""
    if not Path(path).exists():
        raise BornflowError(f"{path}: no such file; {remedy}")
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:  # h5py raises all of these
        reason = " ".join(str(error).split())
        raise BornflowError(
            f"{path} cannot be read as HDF5 ({reason}): it is damaged, cut or of another format; {remedy}"
        ) from error


def read_attributes(file: h5py.File, rules: Mapping[str, AttributeRule], remedy: str) -> Attributes:
    """All attributes of the file. Raises BornflowError for an attribute that violates its rule."""
    attributes = Attributes(Path(file.filename), remedy, dict(file.attrs))
    for name, rule in rules.items():
        if name in attributes and not rule.allows(attributes[name]):
            value = attributes[name]
            shown = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
            raise BornflowError(
                f"{attributes.path}: attribute '{name}' is {shown!r}, but {rule} is expected; {remedy}"
            )
    return attributes


def find_dataset(file: h5py.File, name: str, rule: DatasetRule, remedy: str) -> h5py.Dataset:
    """A dataset, not yet read. Raises BornflowError if its type, unit or shape violates the rule."""
    path = file.filename
    if name not in file:
        raise BornflowError(f"{path} has no {name}; {remedy}")
    data = file[name]
    if not isinstance(data, h5py.Dataset):
        raise BornflowError(f"{path}: {name} is a group, but a dataset is expected; {remedy}")
    if data.dtype.kind not in "fiu":
        raise BornflowError(f"{path}: {name} has the type {data.dtype}, but numbers are expected; {remedy}")
    unit = data.attrs.get("unit")
    if rule.unit is not None and (not isinstance(unit, str) or unit != rule.unit):
        found = "no unit" if unit is None else f"the unit {unit!r}"
        raise BornflowError(f"{path}: {name} has {found}, but {rule.unit!r} is expected; {remedy}")
    if not _has_shape(data, rule):
        expected = ", ".join(["…", *("…" if length is None else str(length) for length in rule.item)])
        raise BornflowError(
            f"{path}: {name} has the shape {data.shape}, but ({expected}) is expected; {remedy}"
        )
    return data


def _has_shape(data: h5py.Dataset, rule: DatasetRule) -> bool:
    return len(data.shape) == 1 + len(rule.item) and all(
        expected is None or expected == length
        for expected, length in zip(rule.item, data.shape[1:], strict=True)
    )


def read_values(
    data: h5py.Dataset, name: str, rule: DatasetRule, remedy: str
) -> Shaped[np.ndarray, "items ..."]:
    """The values of a dataset. Raises BornflowError for a value that violates the rule, with its place."""
    values = data[:]
    valid = np.isfinite(values) & (values >= rule.minimum) & (values <= rule.maximum)
    if rule.integer:
        valid &= values == np.round(values)
    if not valid.all():
        place = tuple(int(index[0]) for index in np.nonzero(~valid))
        raise BornflowError(
            f"{data.file.filename}: {name} is {values[place]} at {list(place)} (counted from 0), but "
            f"{rule.describe_values()} is expected; {remedy}"
        )
    return values.astype(int) if rule.integer else values
