"""Labelled files on their way into training: the index order of Z, implausible labels, several methods.

The order of Z is judged by the rotational sum rule of isolated structures: turning one turns its dipole, so
    D[α, ω] = Σ_i Σ_βγ Z_i[α, β] ε_βωγ r_iγ
is antisymmetric in (α, ω) if the first index is the field's, and is not for the transpose. Periodic
structures have no such rule.
"""

import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from jaxtyping import Float

from .. import geometry
from ..composition import composition, elements
from ..errors import BornflowError
from ..io import frames
from .baseline import energy_baseline
from .plausibility import findings
from .relatives import shared

LEVI_CIVITA = np.zeros((3, 3, 3))
for _one, _two, _three in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    LEVI_CIVITA[_one, _two, _three], LEVI_CIVITA[_one, _three, _two] = 1, -1
TELLING = 0.02  # e Å an isolated structure: symmetric parts below are noise of the labels
SMALL_PART = 0.3  # of D, that its symmetric part is in one of the orders
CLEARLY = 2.0  # times as large as the other order's
# Marks in `mapped_keys` of frames that have been here, so that nothing is brought to another order or
# baseline twice.
ORDERED, ALIGNED = "bec_order=field-force", "methods=aligned"
NOT_NAMED = "not named"


def read(paths: Sequence[str | Path], options: Mapping, sources: set[str] | None = None) -> list[Atoms]:
    """The frames of labelled files with Z in the order [field, force], by `options`, the section `training`.

    Raises BornflowError for what is not understood, two structures of one name, and Z in the other order.
    """
    times = Counter(Path(path).resolve() for path in paths)
    twice = [path for path in paths if times[Path(path).resolve()] > 1]
    if twice:
        raise BornflowError(f"{twice[0]} is given twice; give each file once")
    found = frames.read_all(paths, options["keys"], sources, unique=True)
    first = 0
    for path in paths:
        count = frames.count(path)
        _order(_unmarked(found[first : first + count], ORDERED), str(path), options)
        first += count
    _mark(found, ORDERED)
    return found


def _unmarked(structures: Sequence[Atoms], mark: str) -> list[Atoms]:
    return [atoms for atoms in structures if mark not in atoms.info.get(frames.MAPPED_KEYS, "").split()]


def _mark(structures: Sequence[Atoms], mark: str) -> None:
    for atoms in _unmarked(structures, mark):
        atoms.info[frames.MAPPED_KEYS] = f"{atoms.info.get(frames.MAPPED_KEYS, '')} {mark}".strip()


def check(structures: Sequence[Atoms], options: Mapping) -> None:
    """Raise BornflowError for implausible labels, or those of several methods, unless they are allowed."""
    for atoms in structures:
        try:
            geometry.check(atoms.positions, atoms.cell.array if atoms.pbc.any() else None)
        except BornflowError as error:
            raise BornflowError(f"{frames.name_and_origin(atoms)}: {error}") from error
    charged = [frames.name_and_origin(atoms) for atoms in structures if atoms.info.get("charge", 0)]
    if charged:
        raise BornflowError(
            f"{', '.join(charged[:3])}: charge is not 0, and models are trained on neutral structures; leave "
            "them out"
        )
    _align(_unmarked(structures, ALIGNED), options["several_methods"])
    _mark(structures, ALIGNED)
    found = findings(structures)
    for notice in found:
        if not notice.is_severe:
            print(f"warning: {notice}", file=sys.stderr)
    wrong = [each for each in found if each.is_severe]
    if wrong:
        points = "".join(f"\n  - {each}" for each in wrong) if len(wrong) > 1 else f" {wrong[0]}"
        text = f"the labels are implausible:{points}"
        if options["implausible_labels"] == "reject":
            raise BornflowError(
                f"{text}. Correct the files, or set training.implausible_labels: warn to train on them all "
                "the same"
            )
        print(f"warning: {text}", file=sys.stderr)


def asymmetry(structures: Sequence[Atoms]) -> Float[np.ndarray, "isolated 2"]:
    """How far D of each labelled isolated structure is from antisymmetric [e Å], for Z and its transpose.

    The root mean square of its symmetric part; infinite where that is no small part of D, as for invented
    numbers.
    """
    found = []
    for atoms in structures:
        bec = frames.label(atoms, "bec")
        if bec is None or atoms.pbc.any():
            continue
        places = atoms.positions - atoms.positions.mean(axis=0)
        moments = [np.einsum("iab,bwg,ig->aw", z, LEVI_CIVITA, places) for z in (bec, bec.transpose(0, 2, 1))]
        found.append([float(np.linalg.norm(moment + moment.T)) / 2 for moment in moments])
        if min(found[-1]) > SMALL_PART * max(map(np.linalg.norm, moments)):
            found[-1] = [np.inf, np.inf]
    return np.array(found).reshape(-1, 2)


def _order(structures: Sequence[Atoms], path: str, options: Mapping) -> None:
    """Bring Z of a file to [field, force]; BornflowError where its clusters contradict `bec_order`."""
    order = options["bec_order"]
    labelled = [atoms for atoms in structures if frames.label(atoms, "bec") is not None]
    if not labelled:
        return
    given, transposed = asymmetry(labelled).T
    isolated = [atoms for atoms in labelled if not atoms.pbc.any()]
    other = (given > TELLING) & (given > CLEARLY * transposed)
    right = (transposed > TELLING) & (transposed > CLEARLY * given)
    if other.any() and right.any():
        fewer = other if other.sum() <= right.sum() else right
        named = [
            frames.name_and_origin(atoms) for atoms, is_one in zip(isolated, fewer, strict=True) if is_one
        ]
        raise BornflowError(
            f"{path}: Born effective charges are in both orders, [field, force] and [force, field]: by the "
            f"rotational sum rule {fewer.sum()} of {len(isolated)} isolated structures differ from the "
            f"others ({', '.join(named[:3])}); bring them to one order"
        )
    is_transposed, fits = bool(other.any()), bool(right.any())
    finite = np.isfinite(given)
    sizes = [float(np.median(each[finite])) if finite.any() else 0.0 for each in (given, transposed)]
    numbers = (
        f"the rotational sum rule is violated by {sizes[0]:.3f} e Å as [field, force], {sizes[1]:.3f} as "
        "[force, field]"
    )
    count = int((other | right).sum())
    if order == "field-force" and is_transposed:
        raise BornflowError(
            f"{path}: Born effective charges are in the order [force, field]: {numbers} ({count} isolated "
            "structures tell); set training.bec_order: force-field"
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
            members.setdefault(method(atoms) or NOT_NAMED, []).append(atoms)
    if len(members) < 2:
        return
    counts = ", ".join(f"{name} ({len(held)} structures)" for name, held in members.items())
    if several == "reject":
        raise BornflowError(
            f"energies are of several methods (label_program, label_settings): {counts}. Train on one of "
            "them; or set training.several_methods: same where they are one all the same, or baselines, "
            "which gives each method energies per element of its own (forces are taken as they are)"
        )
    if several == "same":
        print(f"energies are taken to be of one method: {counts}", file=sys.stderr)
        return
    known = elements(structures)
    main = max(members, key=lambda name: len(members[name]))
    target = energy_baseline(members[main], known)
    for name, held in members.items():
        own = energy_baseline(held, known)
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
