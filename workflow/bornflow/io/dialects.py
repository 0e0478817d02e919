"""What other programs call labels, and what they say of them: names, units, weights.

Keys are compared without case, separators and words that only say whose label it is, so `REF_energy`,
`dft-energy` and `Energy` all mean an energy. Keys of models' predictions (`MACE_energy`) do not.
"""

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
OWNERS = {"ref", "reference", "dft", "qm", "label", "target", "true"}
# Units that labels are in, as files spell them.
UNITS = {
    "energy": ("ev", "electronvolt"),
    "forces": ("ev/å", "ev/a", "ev/ang", "ev/angstrom", "ev*a^-1", "eva^-1"),
    "bec": ("e", "|e|", "elementarycharge"),
    "structure": ("å", "a", "ang", "angstrom", "angstroms"),
    "all": ("metal", "ase", "ev,å", "ev,a", "ev-angstrom", "ev/angstrom"),  # `units=…` without a quantity
}
SPELLED = {"energy": "eV", "forces": "eV/Å", "bec": "e", "structure": "Å", "all": "eV, Å and e"}
MISSING = {"", "none", "null", "nan", "n/a", "na", "-"}


def words(key: str) -> list[str]:
    """The words of a key: `REF_energyUnit` is ref, energy, unit."""
    spread = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key)
    return [word for word in re.split(r"[^a-z0-9]+", spread.lower()) if word]


def meaning(key: str) -> str | None:
    """The quantity of SYNONYMS that a key of a file stands for, or None."""
    own = [word for word in words(key) if word not in OWNERS]
    return next((name for name, known in SYNONYMS.items() if "".join(own) in known), None)


def resembling(keys: Iterable[str], quantity: str) -> list[str]:
    """Keys that look like those of a quantity and are no known name of it."""
    stems = {"energy": ("energ",), "forces": ("forc",), "bec": ("bec", "born", "apt")}[quantity]
    return sorted(key for key in set(keys) if any(stem in key.lower() for stem in stems))


def foreign_unit(info: Mapping[str, str]) -> tuple[str, str] | None:
    """The first key of the comment line that gives a unit which is not bornflow's, and that unit expected."""
    for key, text in info.items():
        found = words(key)
        if not {"unit", "units"} & set(found):
            continue
        rest = "".join(word for word in found if word not in ("unit", "units", *OWNERS))
        quantity = next((name for name, known in SYNONYMS.items() if rest in known), None if rest else "all")
        if (
            quantity
            and re.sub(r"\s|_|-?angstrom-?", lambda m: "angstrom" if "ang" in m[0] else "", text.lower())
            not in UNITS[quantity]
        ):
            return key, SPELLED[quantity]
    return None


def masked(info: Mapping[str, str], arrays: Mapping[str, np.ndarray]) -> tuple[set[str], list[str]]:
    """Labels that the file itself gives no weight, and keys of other weights, which are not used.

    `config_weight=0` is of all labels, `config_energy_weight`, `forces_weight` and their like of one. Raises
    comment.Malformed for a weight that is no number and for columns with zeros for some atoms only.
    """
    off: set[str] = set()
    unused = []
    for key, values in [*info.items(), *arrays.items()]:
        found = [word for word in words(key) if word != "config"]
        if not {"weight", "weights"} & set(found):
            continue
        rest = "_".join(word for word in found if word not in ("weight", "weights"))
        quantity = meaning(rest) if rest else "all"
        if quantity not in ("all", "energy", "forces", "bec"):
            continue
        try:
            numbers = (
                np.array([comment.number(values)]) if isinstance(values, str) else np.asarray(values, float)
            )
        except ValueError:
            raise comment.Malformed(f"'{key}' is '{values}'; a number is expected for a weight") from None
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
