"""Labelled files on their way into training: the index order of Z, implausible labels, several methods.

The order of Z is judged by the rotational sum rule of isolated structures: turning one turns its dipole, so
    D[α, ω] = Σ_i Σ_βγ Z_i[α, β] ε_βωγ r_iγ
is antisymmetric in (α, ω) if the first index is the field's, and is not for the transpose. Periodic
structures have no such rule.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from ..errors import BornflowError
from ..io import frames
from .data import baseline, composition, elements
from .plausibility import findings
from .relatives import shared

LEVI_CIVITA = np.zeros((3, 3, 3))
for _one, _two, _three in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    LEVI_CIVITA[_one, _two, _three], LEVI_CIVITA[_one, _three, _two] = 1, -1
TELLING = 0.02  # e Å an isolated structure: symmetric parts below are noise of the labels
CLEARLY = 2.0  # times as large as the other order's
TRANSPOSED = "bec_order=force-field"  # in `mapped_keys`: Z were brought to [field, force]


def read(paths: Sequence[str | Path], options: Mapping, sources: set[str] | None = None) -> list[Atoms]:
    """The frames of labelled files with Z in the order [field, force], by `options`, the section `training`.

    Raises BornflowError for what is not understood, two structures of one name, and Z in the other order.
    """
    found = frames.read_all(paths, options["keys"], sources, unique=True)
    first = 0
    for path in paths:
        count = frames.count(path)
        _order(found[first : first + count], str(path), options["bec_order"])
        first += count
    return found


def check(structures: Sequence[Atoms], options: Mapping) -> None:
    """Raise BornflowError for implausible labels, or those of several methods, unless they are allowed."""
    charged = [frames.place(atoms) for atoms in structures if atoms.info.get("charge", 0)]
    if charged:
        raise BornflowError(
            f"{', '.join(charged[:5])}: charge is not 0, and models are trained on neutral structures; leave "
            "them out"
        )
    _align(structures, options["several_methods"])
    wrong = findings(structures)
    if not wrong:
        return
    text = "the labels are implausible:" + "".join(f"\n  - {found}" for found in wrong)
    if options["implausible_labels"] == "warn":
        print(f"warning: {text}", file=sys.stderr)
        return
    raise BornflowError(
        f"{text}\nCorrect the files, or set training.implausible_labels: warn to train on them all the same"
    )


def asymmetry(structures: Sequence[Atoms]) -> tuple[float, float, int]:
    """Root mean squares of the symmetric part of D [e Å] for Z and its transpose; of how many structures."""
    parts = []
    for atoms in structures:
        bec = frames.label(atoms, "bec")
        if bec is None or atoms.pbc.any():
            continue
        places = atoms.positions - atoms.positions.mean(axis=0)
        moments = [np.einsum("iab,bwg,ig->aw", z, LEVI_CIVITA, places) for z in (bec, bec.transpose(0, 2, 1))]
        parts.append([float(np.sum((moment + moment.T) ** 2)) / 4 for moment in moments])
    if not parts:
        return 0.0, 0.0, 0
    given, transposed = np.sqrt(np.mean(parts, axis=0))
    return float(given), float(transposed), len(parts)


def _order(structures: Sequence[Atoms], path: str, order: str) -> None:
    """Bring Z of a file to [field, force]; BornflowError where its clusters show that `order` is wrong."""
    labelled = [atoms for atoms in structures if frames.label(atoms, "bec") is not None]
    if not labelled or all(TRANSPOSED in atoms.info.get(frames.MAPPED, "") for atoms in labelled):
        return
    given, transposed, count = asymmetry(labelled)
    is_transposed = given > TELLING and given > CLEARLY * transposed
    fits = transposed > TELLING and transposed > CLEARLY * given
    numbers = (
        f"the rotational sum rule is violated by {given:.3f} e Å as [field, force], {transposed:.3f} as "
        "[force, field]"
    )
    if order == "field-force" and is_transposed:
        raise BornflowError(
            f"{path}: Born effective charges are in the order [force, field]: {numbers} ({count} isolated "
            "structures); set training.bec_order: force-field"
        )
    if order == "force-field":
        if all("label_hash" in atoms.info for atoms in labelled) and not is_transposed:
            return  # bornflow's own labels
        if fits:
            raise BornflowError(
                f"{path}: training.bec_order is force-field, but {numbers} ({count} isolated structures); "
                "set it to field-force"
            )
        for atoms in labelled:
            values = frames.label(atoms, "bec").transpose(0, 2, 1)
            atoms.arrays[frames.BEC.key] = values.reshape(-1, 9)
            atoms.info[frames.MAPPED] = f"{atoms.info.get(frames.MAPPED, '')} {TRANSPOSED}".strip()
    if not (is_transposed or fits):
        print(
            f"{path}: the index order of Born effective charges cannot be checked (no isolated structure "
            f"tells); they are taken as [{order.replace('-', ', ')}]",
            file=sys.stderr,
        )


def method(atoms: Atoms) -> str | None:
    """The program and method that a frame was labelled with, without versions and numerical settings."""
    program = atoms.info.get("label_program")
    if program is None:
        return None
    words = [word for word in str(atoms.info.get("label_settings", "")).split() if "=" not in word]
    return " ".join([re.split(r"-\d", str(program))[0], *words[:2]])


def _align(structures: Sequence[Atoms], several: str) -> None:
    """Bring energies of all methods to the baseline of the most frequent one, or raise BornflowError."""
    members: dict[str, list[Atoms]] = {}
    for atoms in structures:
        if frames.label(atoms, "energy") is not None:
            members.setdefault(method(atoms) or "not named", []).append(atoms)
    if len(members) < 2 or (len(members) == 2 and "not named" in members):
        return
    counts = ", ".join(f"{name} ({len(held)} structures)" for name, held in members.items())
    if several == "refuse":
        raise BornflowError(
            f"energies are of several methods: {counts}. Train on one of them (the others may come first, as "
            "training.pretraining), or set training.several_methods: baselines, which gives each method "
            "energies per element of its own; forces are taken as they are"
        )
    known = elements(structures)
    main = max(members, key=lambda name: len(members[name]))
    target = baseline(members[main], known)
    for name, held in members.items():
        own = baseline(held, known)
        for atoms in held if name != main else []:
            shift = float(composition(atoms, known) @ (target - own))
            atoms.calc.results["energy"] += shift
            atoms.info["energy_shift"] = shift
    print(f"energies of several methods are brought to the baseline of {main}: {counts}", file=sys.stderr)


def without_shared(train: Sequence[Atoms], valid: Sequence[Atoms]) -> list[Atoms]:
    """The structures to train on that are not held out too, under whatever name."""
    twice = {id(ours): frames.name(held) for ours, held in shared(train, valid)}
    for atoms in train:
        if id(atoms) in twice:
            print(
                f"{frames.name(atoms)} is held out as {twice[id(atoms)]}; it is not trained on",
                file=sys.stderr,
            )
    return [atoms for atoms in train if id(atoms) not in twice]
