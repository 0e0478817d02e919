"""Reading and checking labelled files before they are split or trained on.

`read` brings labels to bornflow's keys and Born effective charges to bornflow's index order (`bec_order`).
`check` rejects structures and labels that cannot be trained on: charged structures, energies of several
methods (`methods`), implausible labels (`plausibility`).
"""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms

from .. import geometry
from ..errors import BornflowError
from ..io import frames
from .bec_order import bring_to_field_force
from .copies import Pair, find_copies
from .methods import align_energies
from .plausibility import Finding, findings
from .settings import TrainingSettings

logger = logging.getLogger(__name__)

# Marks in `mapped_keys` of structures that were already read or checked. They prevent that Born effective
# charges are transposed again or energies shifted again.
ORDERED, ALIGNED = "bec_order=field-force", "methods=aligned"


def read(
    paths: Sequence[str | Path], settings: TrainingSettings, sources: set[str] | None = None
) -> list[Atoms]:
    """The structures of labelled files, with Born effective charges in the order [field, force].

    The keys of the files that labels were taken from are added to `sources`. Raises BornflowError for a file
    given twice, a file or label that cannot be read, two structures with the same name, and Born effective
    charges that contradict `training.bec_order`.
    """
    times = Counter(Path(path).resolve() for path in paths)
    repeated = [path for path in paths if times[Path(path).resolve()] > 1]
    if repeated:
        raise BornflowError(f"{repeated[0]} is given twice; give each file once")
    structures = frames.read_all(paths, settings.keys, sources, unique=True)
    first = 0
    for path in paths:
        count = frames.count(path)
        unmarked = _without_mark(structures[first : first + count], ORDERED)
        bring_to_field_force(unmarked, str(path), settings.bec_order)
        first += count
    _mark(structures, ORDERED)
    return structures


def _without_mark(structures: Sequence[Atoms], mark: str) -> list[Atoms]:
    return [atoms for atoms in structures if mark not in atoms.info.get(frames.MAPPED_KEYS, "").split()]


def _mark(structures: Sequence[Atoms], mark: str) -> None:
    for atoms in _without_mark(structures, mark):
        atoms.info[frames.MAPPED_KEYS] = f"{atoms.info.get(frames.MAPPED_KEYS, '')} {mark}".strip()


def check(structures: Sequence[Atoms], settings: TrainingSettings) -> list[Pair]:
    """Check structures and labels; return the pairs of copies (`find_copies`) that were found.

    Energies of several methods are brought to one baseline where `training.several_methods` is `baselines`.
    Raises BornflowError for impossible positions or cells, several methods and
    implausible labels, the last two unless the settings allow them.
    """
    _check_structures(structures)
    align_energies(_without_mark(structures, ALIGNED), settings.several_methods)
    _mark(structures, ALIGNED)
    copies = find_copies(structures)
    _report(findings(structures, copies), reject=settings.implausible_labels == "reject")
    return copies


def _check_structures(structures: Sequence[Atoms]) -> None:
    for atoms in structures:
        try:
            geometry.check(atoms.positions, atoms.cell.array if atoms.pbc.any() else None)
        except BornflowError as error:
            raise BornflowError(f"{frames.name_and_origin(atoms)}: {error}") from error


def _report(found: Sequence[Finding], reject: bool) -> None:
    """Log all findings as warnings; raise BornflowError for severe ones if they are to be rejected."""
    for finding in found:
        if not finding.is_severe:
            logger.warning("%s", finding)
    severe = [finding for finding in found if finding.is_severe]
    if not severe:
        return
    points = "".join(f"\n  - {finding}" for finding in severe) if len(severe) > 1 else f" {severe[0]}"
    text = f"the labels are implausible:{points}"
    if reject:
        raise BornflowError(
            f"{text}. Correct the files, or set training.implausible_labels: warn to train on them anyway"
        )
    logger.warning("%s", text)


def without_held_out(train: Sequence[Atoms], valid: Sequence[Atoms], copies: Sequence[Pair]) -> list[Atoms]:
    """The structures of `train` without copies of structures in `valid`.

    `copies` are pairs of indices (i, j), i < j, into `train` followed by `valid`, with i in `train` and j in
    `valid`.
    """
    held_out = {i: valid[j - len(train)] for i, j in copies}
    for i in sorted(held_out):
        names = frames.name(train[i]), frames.name(held_out[i])
        logger.info("%s is held out as %s; it is not trained on", *names)
    return [atoms for index, atoms in enumerate(train) if index not in held_out]
