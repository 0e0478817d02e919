"""Energies from several programs or methods in one labelled set.

Their zero points differ. Such sets are rejected, used unchanged, or brought to one energy baseline
(`training.several_methods`).
"""

import logging
import re
from collections.abc import Sequence

from ase import Atoms

from ..composition import composition, elements
from ..errors import BornflowError
from ..io import frames
from .baseline import energy_baseline

logger = logging.getLogger(__name__)

NOT_NAMED = "not named"


def method_of(atoms: Atoms) -> str | None:
    """Program and method of a structure's labels, without versions and numerical settings."""
    program = atoms.info.get("label_program")
    if program is None:
        return None
    words = [word for word in str(atoms.info.get("label_settings", "")).split() if "=" not in word]
    return " ".join([re.split(r"-\d", str(program))[0], *words[:2]])


def align_energies(structures: Sequence[Atoms], several_methods: str) -> None:
    """Shift energies of all methods, in place, to the baseline of the most frequent method.

    This is done if `several_methods` is `baselines`; with `same` energies are not changed. The shift [eV] is
    stored as `energy_shift`. Raises BornflowError for several methods if the setting is `reject`.
    """
    members: dict[str, list[Atoms]] = {}
    for atoms in structures:
        if frames.label(atoms, "energy") is not None:
            members.setdefault(method_of(atoms) or NOT_NAMED, []).append(atoms)
    if len(members) < 2:
        return
    counts = ", ".join(f"{name} ({len(group)} structures)" for name, group in members.items())
    if several_methods == "reject":
        raise BornflowError(
            f"energies are from several methods (label_program, label_settings): {counts}. Train on one of "
            "them, or set training.several_methods: `same` if they are one method under several names, "
            "`baselines` to fit separate energies per element to each method (forces stay as they are)"
        )
    if several_methods == "same":
        logger.info("energies are taken to be of one method: %s", counts)
        return
    known = elements(structures)
    reference = max(members, key=lambda name: len(members[name]))
    target = energy_baseline(members[reference], known)
    for name, group in members.items():
        if name == reference:
            continue
        baseline = energy_baseline(group, known)
        for atoms in group:
            shift = float(composition(atoms, known) @ (target - baseline))
            atoms.calc.results["energy"] += shift
            atoms.info["energy_shift"] = shift
    logger.info("energies of several methods are brought to the baseline of %s: %s", reference, counts)
