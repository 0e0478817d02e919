"""What other programs call labels, and what they say of them: names, units, weights, charges, cells.

Keys are compared without case, separators and words that only say whose label it is, so `REF_energy`,
`dft-energy` and `Energy` all mean an energy. Keys of models' predictions (`MACE_energy`) do not.
"""

import difflib
import re
from collections.abc import Iterable, Mapping

import numpy as np

from . import comment

SYNONYMS = {
    "energy": ("energy", "energies", "totalenergy", "energytotal", "etot", "toten"),
    "forces": ("forces", "force"),
    "bec": (
        *("bec", "becs", "borneffectivecharge", "borneffectivecharges", "borncharge", "borncharges"),
        *("apt", "apts", "atomicpolartensor", "atomicpolartensors"),
    ),
    "structure": ("pos", "position", "positions", "length", "distance", "lattice", "cell"),
}
# Parts of other names, and short ones, by which a label may be meant.
STEMS = {
    "energy": ("energ", ("e", "ene", "epot", "e0")),
    "forces": ("forc", ("f", "fx", "gradient", "gradients", "grad")),
    "bec": ("born", ("bec", "apt", "zstar", "zeff", "polartensor", "becharge")),
}
LENGTHS = ("coordinates", "coordinate", "coords", "coord", "dist", "distances", "xyz")  # keys of their unit
OWNERS = {"ref", "reference", "dft", "qm", "label", "target", "true"}
# Units that labels are in, as files spell them.
UNITS = {
    "energy": ("ev", "electronvolt"),
    "forces": ("ev/å", "ev/a", "ev/ang", "ev/angstrom", "ev*a^-1", "eva^-1"),
    "bec": ("e", "|e|", "elementarycharge"),
    "structure": ("å", "a", "ang", "angstrom", "angstroms"),
}
ANY_UNIT = {unit for known in UNITS.values() for unit in known} | {"metal", "ase", "ev-angstrom", "default"}
SPELLED = {"energy": "eV", "forces": "eV/Å", "bec": "e", "structure": "Å", "all": "eV, Å and e"}
MISSING = {"", "none", "null", "nan", "n/a", "na", "-"}
# Words of a key that hold no label themselves but say something of one.
BESIDE = {"weight", "weights", "w", "unit", "units", "mask", "shift", "other", "error", "std", "free"}
WHOLE = {"total", "tot", "net", "system", "sys", "molecular", "formal", "cell"}  # of a charge
MULTIPLICITIES = ("multiplicity", "mult", "spinmultiplicity")
CELL_STEMS = ("latt", "cell", "box", "vec", "period")


def words(key: str) -> list[str]:
    """The words of a key: `REF_energyUnit` is ref, energy, unit."""
    spread = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[a-zA-Z])(?=[uU]nits?$)", " ", key)
    return [word for word in re.split(r"[^a-z0-9]+", spread.lower()) if word]


def meaning(key: str) -> str | None:
    """The quantity of SYNONYMS that a key of a file stands for, or None."""
    own = [word for word in words(key) if word not in OWNERS]
    return next((name for name, known in SYNONYMS.items() if "".join(own) in known), None)


def is_missing(value: object) -> bool:
    """Whether a value of the comment line says that there is none."""
    return isinstance(value, str) and value.strip().lower() in MISSING


def resembling(keys: Iterable[str], quantity: str) -> list[str]:
    """Keys that may be meant for a label, known names of it among them."""
    stem, short = STEMS[quantity]
    found = set()
    for key in keys:
        parts = words(key)
        if set(parts) & BESIDE:
            continue
        near = difflib.get_close_matches("".join(parts), SYNONYMS[quantity], n=1, cutoff=0.8)
        if near or stem in key.lower() or set(parts) & set(short):
            found.add(key)
    return sorted(found)


def total_charge(info: Mapping[str, str]) -> dict[str, str]:
    """The keys that give `charge` and `multiplicity` of the structure, as {key of the file: ours}."""
    found = {}
    for key in info:
        own = [word for word in words(key) if word not in OWNERS]
        if [word for word in own if word not in WHOLE] == ["charge"]:
            found[key] = "charge"
        elif "".join(own) in MULTIPLICITIES:
            found[key] = "multiplicity"
    return found


def foreign_cell(info: Mapping[str, str]) -> str | None:
    """A key that holds a cell or periodicity and is not `Lattice` or `pbc`, for frames without a Lattice."""
    for key, text in info.items():
        parts = re.sub(r"[][(){},;]", " ", text).split()
        numbers = all(comment.REAL.fullmatch(part) for part in parts) and len(parts) in (1, 3, 6, 9)
        periodic = bool(parts) and all(comment.BOOLEANS.get(part) for part in parts)
        name = key.lower()
        if any(stem in name for stem in CELL_STEMS) or difflib.get_close_matches(
            name, ["lattice"], cutoff=0.8
        ):
            if numbers and len(parts) > 1:
                return key
            if periodic and "period" in name:
                return key
    return None


def foreign_unit(info: Mapping[str, str]) -> tuple[str, str] | None:
    """The first key of the comment line that gives a unit which is not bornflow's, and that unit expected."""
    for key, text in info.items():
        found = words(key)
        if not found or not {"unit", "units"} & {found[0], found[-1]} or found[:2] == ["unit", "cell"]:
            continue
        rest = "".join(word for word in found if word not in ("unit", "units", *OWNERS))
        known = {"e": "energy", "f": "forces"} | {rest: name for name in SYNONYMS for rest in SYNONYMS[name]}
        known |= dict.fromkeys(LENGTHS, "structure")
        quantity = known.get(rest) if rest else "all"
        if quantity is None or is_missing(text):
            continue
        spelled = re.sub(r"\s|_", "", text.lower())
        parts = (
            [re.split("[:=]", part)[-1] for part in re.split("[,;]", spelled)]
            if quantity == "all"
            else [spelled]
        )
        if not set(parts) <= (ANY_UNIT if quantity == "all" else set(UNITS[quantity])):
            return key, SPELLED[quantity]
    return None


def masked(info: Mapping[str, str], arrays: Mapping[str, np.ndarray]) -> tuple[set[str], list[str]]:
    """Labels that the file itself gives no weight, and keys of other weights and masks, which are not used.

    `config_weight=0` is of all labels, `config_energy_weight`, `forces_weight` and their like of one. Raises
    comment.Malformed for a weight that is no number from zero on and for zeros for some atoms only.
    """
    off: set[str] = set()
    unused = []
    for key, values in [*info.items(), *arrays.items()]:
        found = [word for word in words(key) if word != "config"]
        said = {"weight", "weights", "w", "mask"} & set(found)
        rest = "_".join(word for word in found if word not in said)
        quantity = meaning(rest) if rest else "all"
        if not said or quantity not in ("all", "energy", "forces", "bec") or is_missing(values):
            continue
        if said & {"mask", "w"} and (quantity == "all" or "mask" in said):
            unused += [key] * ("mask" in said and key in arrays)
            continue
        try:
            numbers = (
                np.array([comment.number(values)]) if isinstance(values, str) else np.asarray(values, float)
            )
        except ValueError:
            raise comment.Malformed(f"'{key}' is '{values}'; a number is expected for a weight") from None
        if not (numbers >= 0).all():
            raise comment.Malformed(f"'{key}' is {numbers.ravel()[0]:g}; a weight is zero or positive")
        if not numbers.any():
            off |= {"energy", "forces", "bec"} if quantity == "all" else {quantity}
        elif not numbers.all():
            raise comment.Malformed(
                f"'{key}' is zero for some atoms only; labels are masked for whole structures: remove the "
                "column or the frame"
            )
        elif (numbers != 1).any():
            unused.append(key)
    return off, unused
