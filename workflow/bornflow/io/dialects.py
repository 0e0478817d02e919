"""How other programs name labels, units, weights, charges and cells in extxyz files.

Keys are compared without case, separators and words that only name the origin of a label. So `REF_energy`,
`dft-energy` and `Energy` all mean the energy. Keys of model predictions (`MACE_energy`) do not.
"""

import difflib
import re
from collections.abc import Iterable, Mapping

import numpy as np

from ..errors import BornflowError
from . import comment
from .columns import Column
from .quantities import LABELS

# Names without separators. `structure` stands for positions and cell.
SYNONYMS = {
    "energy": ("energy", "energies", "totalenergy", "energytotal", "etot", "toten"),
    "forces": ("forces", "force"),
    "bec": (
        *("bec", "becs", "borneffectivecharge", "borneffectivecharges", "borncharge", "borncharges"),
        *("apt", "apts", "atomicpolartensor", "atomicpolartensors"),
    ),
    "structure": ("pos", "position", "positions", "length", "distance", "lattice", "cell"),
}
# A stem and short names that suggest a label.
HINTS = {
    "energy": ("energ", ("e", "ene", "epot", "e0")),
    "forces": ("forc", ("f", "fx", "gradient", "gradients", "grad")),
    "bec": ("born", ("bec", "apt", "zstar", "zeff", "polartensor", "becharge")),
}
SOURCE_WORDS = {"ref", "reference", "dft", "qm", "label", "target", "true"}
# Words of keys that describe a label but do not contain it, such as `energy_weight`.
QUALIFIERS = {"weight", "weights", "w", "unit", "units", "mask", "shift", "other", "error", "std", "free"}
TOTAL_WORDS = {"total", "tot", "net", "system", "sys", "molecular", "formal", "cell"}  # `net_charge`
MOMENT = 0.5  # μ_B, of all atoms together
MULTIPLICITIES = ("multiplicity", "mult", "spinmultiplicity")
AMBIGUOUS_SPINS = ("spin", "spins", "totalspin", "uhf", "nunpaired")  # S, 2S or 2S + 1
MISSING = {"", "none", "null", "nan", "n/a", "na", "-"}
CELL_STEMS = ("latt", "cell", "box", "vec", "period")

# The units of labels in bornflow, as spelled in files and in messages.
UNITS = {
    "energy": ("ev", "electronvolt"),
    "forces": ("ev/å", "ev/a", "ev/ang", "ev/angstrom", "ev*a^-1", "eva^-1"),
    "bec": ("e", "|e|", "elementarycharge"),
    "structure": ("å", "a", "ang", "angstrom", "angstroms"),
}
ALL_UNITS = {unit for known in UNITS.values() for unit in known} | {"metal", "ase", "ev-angstrom", "default"}
UNIT_NAMES = {"energy": "eV", "forces": "eV/Å", "bec": "e", "structure": "Å", "all": "eV, Å and e"}
LENGTH_WORDS = ("coordinates", "coordinate", "coords", "coord", "dist", "distances", "xyz")
# Meaning of the words before `unit`: `pos_unit` is the unit of the structure, `e_unit` of the energy.
UNIT_OWNERS = (
    {"e": "energy", "f": "forces"}
    | {word: quantity for quantity, words in SYNONYMS.items() for word in words}
    | dict.fromkeys(LENGTH_WORDS, "structure")
)


def split_key(key: str) -> list[str]:
    """The words of a key in lower case: `REF_energyUnit` is ref, energy, unit."""
    # A space before a capital after a small letter (`energyUnit`) and before a final `unit` (`energyunit`).
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[a-zA-Z])(?=[uU]nits?$)", " ", key)
    return [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]


def _without_source(key: str) -> list[str]:
    return [word for word in split_key(key) if word not in SOURCE_WORDS]


def quantity_of_key(key: str) -> str | None:
    """The quantity of SYNONYMS that a key of a file means, or None."""
    name = "".join(_without_source(key))
    return next((quantity for quantity, known in SYNONYMS.items() if name in known), None)


def is_missing(value: object) -> bool:
    """Whether a value of the comment line means a missing value, such as `None` and `nan`."""
    return isinstance(value, str) and value.strip().lower() in MISSING


def similar_keys(keys: Iterable[str], quantity: str) -> list[str]:
    """Keys that may mean a label, including those of SYNONYMS; for messages about a missing label."""
    stem, short_names = HINTS[quantity]
    similar = set()
    for key in keys:
        words = set(split_key(key))
        if words & QUALIFIERS:
            continue
        is_close = difflib.get_close_matches("".join(split_key(key)), SYNONYMS[quantity], n=1, cutoff=0.8)
        if is_close or stem in key.lower() or words & set(short_names):
            similar.add(key)
    return sorted(similar)


def charge_keys(info: Mapping[str, str]) -> dict[str, str]:
    """The keys that give the total charge or the multiplicity, as {key of the file: bornflow's key}."""
    keys = {}
    for key in info:
        words = _without_source(key)
        if [word for word in words if word not in TOTAL_WORDS] == ["charge"]:
            keys[key] = "charge"
        elif "".join(words) in MULTIPLICITIES:
            keys[key] = "multiplicity"
    return keys


def ambiguous_spin(info: Mapping[str, str], arrays: Mapping[str, Column]) -> str | None:
    """A key of a spin that may mean S, 2S or 2S + 1 and is not zero, or of magnetic moments of atoms."""
    if "multiplicity" in info:
        return None
    for key, text in info.items():
        if "".join(_without_source(key)) in AMBIGUOUS_SPINS and text.strip() not in {*MISSING, "0", "0.0"}:
            return key
    moments = arrays.get("initial_magmoms")
    is_polarised = moments is not None and moments.dtype.kind in "if" and abs(moments.sum()) > MOMENT
    return "initial_magmoms" if is_polarised else None


def split_list(text: str) -> list[str]:
    """The words of a list with any brackets and separators: `[[9, 0], [0, 9]]` gives 9, 0, 0, 9."""
    return re.sub(r"[][(){},;]", " ", text).split()


def foreign_cell_key(info: Mapping[str, str]) -> str | None:
    """A key that gives the cell or the periodicity under another name, in a frame without `Lattice`."""
    for key, text in info.items():
        name, words = key.lower(), split_list(text)
        if not any(stem in name for stem in CELL_STEMS) and not difflib.get_close_matches(
            name, ["lattice"], cutoff=0.8
        ):
            continue
        if len(words) in (3, 6, 9) and all(comment.REAL.fullmatch(word) for word in words):
            return key
        if "period" in name and words and all(comment.BOOLEANS.get(word) for word in words):
            return key
    return None


def foreign_unit(info: Mapping[str, str]) -> tuple[str, str] | None:
    """The first key of the comment line with a unit other than bornflow's, and the expected unit."""
    for key, text in info.items():
        words = split_key(key)
        if not words or not {"unit", "units"} & {words[0], words[-1]} or words[:2] == ["unit", "cell"]:
            continue
        owner = "".join(word for word in words if word not in ("unit", "units", *SOURCE_WORDS))
        quantity = UNIT_OWNERS.get(owner) if owner else "all"
        if quantity is None or is_missing(text):
            continue
        unit = re.sub(r"\s|_", "", text.lower())
        if quantity == "all":  # units="energy: eV, forces: eV/A" or units=metal
            units = {re.split("[:=]", part)[-1] for part in re.split("[,;]", unit)}
            is_known = units <= ALL_UNITS
        else:
            is_known = unit in UNITS[quantity]
        if not is_known:
            return key, UNIT_NAMES[quantity]
    return None


def masked_labels(
    info: Mapping[str, str], arrays: Mapping[str, Column], place: str
) -> tuple[set[str], list[str]]:
    """Labels with weight zero in the file, and keys of weights and masks that are not used.

    `config_weight=0` masks all labels, `config_energy_weight=0` or a column `forces_weight` of zeros one of
    them. Raises BornflowError for a weight that is not a number or is negative, and for a column with zeros
    for some atoms only.
    """
    masked: set[str] = set()
    unused = []
    entries: list[tuple[str, str | Column]] = [*info.items(), *arrays.items()]
    for key, values in entries:
        words = [word for word in split_key(key) if word != "config"]
        marks = {"weight", "weights", "w", "mask"} & set(words)
        owner = "_".join(word for word in words if word not in marks)
        quantity = quantity_of_key(owner) if owner else "all"
        if not marks or quantity not in ("all", *LABELS) or is_missing(values):
            continue
        if "mask" in marks or ("w" in marks and quantity == "all"):
            unused += [key] * ("mask" in marks and key in arrays)
            continue
        weights = _parse_weights(key, values, place)
        if not weights.any():
            masked |= set(LABELS) if quantity == "all" else {quantity}
        elif not weights.all():
            raise BornflowError(
                f"{place}: '{key}' is zero for some atoms only, but a label is masked for all atoms of a "
                "structure or for none; remove the column or the frame"
            )
        elif (weights != 1).any():
            unused.append(key)
    return masked, unused


def _parse_weights(key: str, values: str | Column, place: str) -> np.ndarray:
    """Weights of a key of the comment line, or of a column."""
    try:
        if isinstance(values, str):
            weights = np.array([comment.parse_number(values)])
        else:
            weights = np.asarray(values, float)
    except ValueError:
        shown = values if isinstance(values, str) else values.ravel()[0]
        raise BornflowError(
            f"{place}: '{key}' is '{shown}'; a number is expected for a weight, correct or remove it"
        ) from None
    if not (weights >= 0).all():
        raise BornflowError(
            f"{place}: '{key}' is {weights.ravel()[0]:g}; a weight must be zero or positive, correct it"
        )
    return weights
