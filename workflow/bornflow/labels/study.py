"""How labels depend on the settings of CP2K: differences from a reference, for chosen variations.

    python -m bornflow.labels.study --study convergence --config cfg.yaml --out convergence.csv

Energies have an offset that depends on the settings and cancels in training. Forces and Born effective
charges have none, so the largest difference in any of their components is reported.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from .. import cli
from ..errors import BornflowError, Rejected
from ..io.files import atomic_write
from ..progress import track
from .engines.base import Label
from .engines.cp2k.engine import CP2K
from .finite_field import accept
from .named_structures import read_named
from .settings import StudySettings, load_settings

REJECTED = "rejected"  # the last column
Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """The label of one structure with a variant of the settings, compared with a reference."""

    case: int
    structure: str
    reference: CP2K
    variant: CP2K


def differences_from_references(
    structures: Mapping[str, Atoms], study: StudySettings, engine: CP2K, workdir: Path
) -> pd.DataFrame:
    """A table with one row for each structure and variant of the study.

    Columns: the settings, the cell's edge [Å], max |ΔF| [meV/Å], max |ΔZ| [e] (both against the case's
    reference), |Σ F| [meV/Å], |Σ Z| [e], for each element the mean of its atoms' tr Z / 3 [e], and with
    `seconds` the wall time of each kind of run. If CP2K or (with `gate`) the limits of `labels.gate` reject a
    variant, the last column contains the reason and the numbers are missing.
    """
    unknown = sorted(set(study.columns) - set(vars(engine.cp2k)))
    if unknown:
        raise BornflowError(
            f"columns {', '.join(unknown)} are no settings of labels.cp2k; choose from "
            f"{', '.join(vars(engine.cp2k))}"
        )
    comparisons = list(_comparisons(study, engine))
    rows: list[Row] = []
    references: dict[tuple[int, str], Label] = {}
    for comparison in track(comparisons, "study", len(comparisons), "labels"):
        atoms = structures[comparison.structure]
        key = (comparison.case, comparison.structure)
        if key not in references:
            changes = study.cases[comparison.case]["reference"]
            references[key] = _reference(atoms, comparison.reference, workdir, changes)
        rows.append(_row(atoms, comparison.variant, workdir, study, references[key]))
    columns = dict.fromkeys(key for row in rows for key in row if key != REJECTED)
    return pd.DataFrame(rows, columns=[*columns, REJECTED])


def _comparisons(study: StudySettings, engine: CP2K) -> Iterator[Comparison]:
    for number, case in enumerate(study.cases):
        reference = engine.varied(**case["reference"])
        for name in case["structures"]:
            for variant in case["variants"]:
                yield Comparison(number, name, reference, engine.varied(**variant))


def _reference(atoms: Atoms, engine: CP2K, workdir: Path, changes: Mapping[str, Any]) -> Label:
    try:
        return engine.label(atoms, workdir)
    except Rejected as error:
        raise BornflowError(
            f"the reference {dict(changes)} of {atoms.info['structure']} is rejected: {error}; choose "
            "another reference"
        ) from error


def _row(atoms: Atoms, engine: CP2K, workdir: Path, study: StudySettings, reference: Label) -> Row:
    row = _settings_row(atoms, engine, study.columns)
    try:
        label = engine.label(atoms, workdir)
        if study.gate:
            accept(label.residuals, engine.settings.gate)
    except Rejected as error:
        return row | {REJECTED: str(error)}
    seconds = {f"{kind} [s]": wall for kind, wall in label.seconds.items()} if study.seconds else {}
    return row | _difference_row(atoms, label, reference) | seconds


def _settings_row(atoms: Atoms, engine: CP2K, columns: Sequence[str]) -> Row:
    return {
        "structure": atoms.info["structure"],
        **{key: getattr(engine.cp2k, key) for key in columns},
        "operator": engine.field_operator(atoms),
        "cell [Å]": round(engine.cell_edge(atoms), 3),
    }


def _difference_row(atoms: Atoms, label: Label, reference: Label) -> Row:
    symbols = np.array(atoms.get_chemical_symbols())
    isotropic = np.trace(label.response.bec, axis1=1, axis2=2) / 3
    return {
        "force_difference [meV/Å]": 1e3 * np.abs(label.forces - reference.forces).max(),
        "bec_difference [e]": np.abs(label.response.bec - reference.response.bec).max(),
        "net_force [meV/Å]": 1e3 * np.abs(label.forces.sum(axis=0)).max(),
        "sum_rule [e]": label.response.sum_rule,
        **{f"bec_{symbol} [e]": isotropic[symbols == symbol].mean() for symbol in np.unique(symbols)},
    }


@cli.command
def main() -> None:
    """Write the table of one study."""
    args = cli.parse(
        main,
        "threads",
        "out",
        study=cli.option("a key of labels.studies"),
        config=cli.option("configuration file with that study"),
    )
    settings = load_settings(args.config)
    if args.study not in settings.studies:
        raise BornflowError(
            f"{args.config}: --study is {args.study}, which is not a key of labels.studies; choose from "
            f"{', '.join(settings.studies) or 'none'}"
        )
    study = settings.studies[args.study]
    names = {name for case in study.cases for name in case["structures"]}
    structures = read_named(study.data, names, f"labels.studies.{args.study}")
    workdir = settings.scratch / f"study-{args.study}"
    # Variants of one structure share field-free runs, so their wave functions stay until the study ends.
    engine = CP2K(settings, args.threads, keep_wave_functions=True)
    try:
        table = differences_from_references(structures, study, engine, workdir)
    except BornflowError as error:
        raise BornflowError(f"labels.studies.{args.study}: {error}") from error
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.5g")
    if table[REJECTED].isna().all():
        shutil.rmtree(workdir, ignore_errors=True)  # kept otherwise, since rejections refer to outputs in it


if __name__ == "__main__":
    main()
