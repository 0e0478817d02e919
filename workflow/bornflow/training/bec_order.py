"""The index order of Born effective charges in a labelled file, and its conversion to [field, force].

The rotational sum rule of isolated structures tells the order. A rotation of the structure rotates its
dipole, so

    D[α, ω] = Σ_i Σ_βγ Z_i[α, β] ε_βωγ r_iγ

is antisymmetric in (α, ω) if the first index of Z is the field's, but not for the transpose of Z. Periodic
structures have no such rule.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float

from ..errors import BornflowError
from ..io import frames

logger = logging.getLogger(__name__)

LEVI_CIVITA = np.zeros((3, 3, 3))
for _one, _two, _three in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    LEVI_CIVITA[_one, _two, _three], LEVI_CIVITA[_one, _three, _two] = 1, -1
SIGNIFICANT = 0.02  # e Å for one structure; smaller symmetric parts of D are noise of the labels
ABOVE_NOISE = 4.0  # times the noise of the labels of a file; larger symmetric parts of D are significant
SMALL_FRACTION = 0.3  # of D; the symmetric part is smaller than this in the right order
CLEARLY = 2.0  # ratio of the symmetric parts in the two orders


@dataclass(frozen=True)
class Violations:
    """Symmetric part of D [e Å] of each labelled isolated structure (`sum_rule_violations`)."""

    structures: Sequence[Atoms]
    given: Float[np.ndarray, " isolated"]  # for Z as it is in the file
    transposed: Float[np.ndarray, " isolated"]
    lever: Float[np.ndarray, " isolated"]  # √(Σ_i |r_i|²) [Å]; times errors of Z, about the violation

    @property
    def significant(self) -> Float[np.ndarray, " isolated"]:
        """The smallest violation [e Å] of each structure that shows an order.

        In the right order, the violation is noise of the labels, estimated by the median over the file.
        Labels by models are noisier than those by density-functional theory.
        """
        errors = np.minimum(self.given, self.transposed) / self.lever
        finite = errors[np.isfinite(errors)]
        noise = float(np.median(finite)) if finite.size else 0.0
        return np.maximum(SIGNIFICANT, ABOVE_NOISE * noise * self.lever)

    @property
    def show_force_field(self) -> Bool[np.ndarray, " isolated"]:
        """Whether each structure is in the order [force, field]."""
        return (self.given > self.significant) & (self.given > CLEARLY * self.transposed)

    @property
    def show_field_force(self) -> Bool[np.ndarray, " isolated"]:
        """Whether each structure is in the order [field, force]; both orders may be unclear."""
        return (self.transposed > self.significant) & (self.transposed > CLEARLY * self.given)

    def __str__(self) -> str:
        finite = np.isfinite(self.given)
        given, transposed = (
            float(np.median(values[finite])) if finite.any() else 0.0
            for values in (self.given, self.transposed)
        )
        return (
            f"the rotational sum rule is violated by {given:.3f} e Å as [field, force], {transposed:.3f} as "
            "[force, field]"
        )


def sum_rule_violations(structures: Sequence[Atoms]) -> Violations:
    """The violation of the rotational sum rule by each labelled isolated structure.

    It is the Frobenius norm of the symmetric part of D, for Z and for its transpose. Both are infinite if the
    symmetric part is a large fraction of D in both orders, as for invented numbers.
    """
    isolated, rows, levers = [], [], []
    for atoms in structures:
        label = frames.label(atoms, "bec")
        if label is None or atoms.pbc.any():
            continue
        bec = np.asarray(label)
        places = atoms.positions - atoms.positions.mean(axis=0)
        moments = [np.einsum("iab,bwg,ig->aw", z, LEVI_CIVITA, places) for z in (bec, bec.transpose(0, 2, 1))]
        row = [float(np.linalg.norm(moment + moment.T)) / 2 for moment in moments]
        if min(row) > SMALL_FRACTION * max(float(np.linalg.norm(moment)) for moment in moments):
            row = [np.inf, np.inf]
        isolated.append(atoms)
        rows.append(row)
        levers.append(max(float(np.linalg.norm(places)), 1e-9))  # of a single atom 0
    given, transposed = np.array(rows).reshape(-1, 2).T
    return Violations(isolated, given, transposed, np.array(levers))


def bring_to_field_force(structures: Sequence[Atoms], path: str, order: str) -> None:
    """Transpose Born effective charges of the file `path` in place if `order` is `force-field`.

    `order` is `training.bec_order`. bornflow's own labels are not changed. Raises BornflowError if the
    isolated structures of the file contradict `order` or each other.
    """
    labelled = [atoms for atoms in structures if frames.label(atoms, "bec") is not None]
    if not labelled:
        return
    violations = sum_rule_violations(labelled)
    _reject_mixed(violations, path)
    is_force_field = bool(violations.show_force_field.any())
    is_field_force = bool(violations.show_field_force.any())
    count = int((violations.show_force_field | violations.show_field_force).sum())
    if order == "field-force" and is_force_field:
        raise BornflowError(
            f"{path}: Born effective charges are in the order [force, field]: {violations} (by {count} "
            "isolated structures); set training.bec_order: force-field"
        )
    if order == "force-field":
        if all("label_hash" in atoms.info for atoms in labelled) and not is_force_field:
            return  # bornflow's own labels
        if is_field_force:
            raise BornflowError(
                f"{path}: training.bec_order is force-field, but {violations} (by {count} isolated "
                "structures); set it to field-force"
            )
        for atoms in labelled:
            bec = np.asarray(frames.label(atoms, "bec"))
            atoms.arrays[frames.BEC.key] = bec.transpose(0, 2, 1).reshape(-1, 9)
    if not (is_force_field or is_field_force):
        logger.warning(
            "%s: the index order of Born effective charges cannot be checked (no isolated structure shows "
            "it); they are read as [%s] (training.bec_order)",
            path,
            order.replace("-", ", "),
        )


def _reject_mixed(violations: Violations, path: str) -> None:
    """Raise BornflowError where structures of one file are in different orders."""
    one, other = violations.show_force_field, violations.show_field_force
    if not (one.any() and other.any()):
        return
    fewer = one if one.sum() <= other.sum() else other
    minority = [
        frames.name_and_origin(atoms)
        for atoms, is_in in zip(violations.structures, fewer, strict=True)
        if is_in
    ]
    raise BornflowError(
        f"{path}: Born effective charges are in both orders, [field, force] and [force, field]: by the "
        f"rotational sum rule {len(minority)} of {len(violations.structures)} isolated structures differ "
        f"from the others ({', '.join(minority[:3])}); bring them to one order"
    )
