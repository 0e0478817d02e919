"""The key of a file from which each label is taken, chosen once for all frames of the file.

A label is taken from the key that the user names in `training.keys`, otherwise from bornflow's own key,
otherwise from the only key of another program with the same meaning (`dialects.py`). Ambiguous keys are
rejected, so that labels of two methods are never mixed.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import BornflowError
from . import dialects
from .columns import Column
from .extxyz import RawFrame
from .quantities import LABELS, MAPPED_KEYS

logger = logging.getLogger(__name__)


def choose_label_keys(
    path: Path, frames: Sequence[RawFrame], mapped: Mapping[str, str]
) -> list[dict[str, str]]:
    """For each frame {label: key of the file}; `mapped` is the user's choice in this form.

    Frames that bornflow has already read and written have bornflow's keys. Raises BornflowError if the choice
    is ambiguous.
    """
    own_keys = {quantity: quantity for quantity in LABELS}
    foreign = [frame for frame in frames if MAPPED_KEYS not in frame.info]
    foreign_keys = _choose_foreign_keys(path, foreign, mapped) if foreign else own_keys
    return [own_keys if MAPPED_KEYS in frame.info else foreign_keys for frame in frames]


def _choose_foreign_keys(path: Path, frames: Sequence[RawFrame], mapped: Mapping[str, str]) -> dict[str, str]:
    """The key of each label, the same for all frames of a file from another program."""
    repeated = [key for key, times in Counter(mapped.values()).items() if times > 1]
    if repeated:
        raise BornflowError(
            f"training.keys: '{repeated[0]}' is given for two labels; give each label its own key"
        )
    present = {quantity for quantity, key in mapped.items() if any(_has(frame, key) for frame in frames)}
    if not present and all("label_hash" in frame.info for frame in frames):
        mapped = {}  # bornflow labelled these frames; the keys are meant for other files
    chosen = {}
    for quantity in LABELS:
        candidates = _count_keys(frames, quantity)
        if quantity in mapped and quantity not in present and candidates:
            raise BornflowError(
                f"{path}: no frame has '{mapped[quantity]}' (training.keys.{quantity}), but "
                f"'{next(iter(candidates))}' is there; correct training.keys, or rename the key in this file"
            )
        chosen[quantity] = mapped.get(quantity) or _choose_key(path, frames, quantity, candidates)
        _check_missing_labels(path, frames, quantity, chosen[quantity], quantity in mapped)
    return chosen


def _count_keys(frames: Sequence[RawFrame], quantity: str) -> Counter[str]:
    """The keys that mean the label, with the number of frames that have each."""
    return Counter(
        key
        for frame in frames
        for key in _values_for(frame, quantity)
        if dialects.quantity_of_key(key) == quantity
    )


def _values_for(frame: RawFrame, quantity: str) -> Mapping[str, str] | Mapping[str, Column]:
    """The part of a frame in which a label is expected: comment line or columns."""
    return frame.info if LABELS[quantity].shape is None else frame.arrays


def _has(frame: RawFrame, key: str) -> bool:
    return key in frame.info or key in frame.arrays


def _choose_key(path: Path, frames: Sequence[RawFrame], quantity: str, candidates: Counter[str]) -> str:
    """bornflow's key if it exists, otherwise the only candidate; BornflowError if several are needed."""
    others = {key: times for key, times in candidates.items() if key != quantity}
    if not others:
        return quantity
    if quantity in candidates:
        if not any(not _has(frame, quantity) and any(_has(frame, key) for key in others) for frame in frames):
            names = ", ".join(f"'{key}'" for key in others)
            logger.warning(
                f"{path}: '{quantity}' is used and {names} is not; if that is the label you want, name it in "
                f"training.keys.{quantity}"
            )
            return quantity
    elif len(others) == 1:
        (key,) = others
        logger.warning(
            f"{path}: {quantity} is taken from '{key}' ({others[key]} of {len(frames)} frames); if that is "
            f"wrong, name another key in training.keys.{quantity}"
        )
        return key
    counts = ", ".join(f"'{key}' in {times}" for key, times in candidates.items())
    raise BornflowError(
        f"{path}: {quantity} may be stored under several keys ({counts} of {len(frames)} frames); name "
        f"one in training.keys.{quantity}: frames without it then have no such label"
    )


def _check_missing_labels(
    path: Path, frames: Sequence[RawFrame], quantity: str, key: str, is_mapped: bool
) -> None:
    """Report possible keys of a missing label; BornflowError if other frames have the label."""
    without = [frame for frame in frames if not _has(frame, key)]
    for frame in without:
        similar = dialects.similar_keys(_values_for(frame, quantity), quantity)
        if not similar:
            continue
        names = ", ".join(f"'{name}'" for name in similar)
        if is_mapped or len(without) == len(frames):
            logger.warning(
                f"{path}: {len(without)} of {len(frames)} frames have no '{key}', so this label is masked, "
                f"but {names} is there; if that is the label, name it in training.keys.{quantity}"
            )
            return
        raise BornflowError(
            f"{frame.place}: no '{key}', which other frames have, but {names}; rename or remove it, or name "
            f"the key of all frames in training.keys.{quantity}"
        )
