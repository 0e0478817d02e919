"""How labels depend on the settings of CP2K: differences from a reference, over chosen variations.

    python -m bornflow.labels.study --study convergence --config cfg.yaml --out convergence.csv

Energies carry an offset that depends on the settings and cancels in training; forces and Born
effective charges do not, so the largest difference in any of their components is reported.
"""

import argparse
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from .. import cli, config
from ..cli import command
from ..errors import BornflowError, Rejected
from ..io import frames
from ..io.files import atomic_write
from ..progress import track
from .engines.cp2k.input_file import cell_edge, operator
from .engines.table import Label, cp2k
from .finite_field import accept

REJECTED = "rejected"


def compare(
    structures: Mapping[str, Atoms], study: Mapping, options: Mapping, workdir: Path, threads: int
) -> pd.DataFrame:
    """A table of one row for each structure and variant; `study` is an entry of `labels.studies`.

    Columns: the settings, the cell's edge [Å], max |ΔF| [meV/Å], max |ΔZ| [e] (both against the case's
    reference), |Σ F| [meV/Å], |Σ Z| [e], for each element the mean of its atoms' tr Z / 3 [e], and where the
    study asks for `seconds` what each kind of run took. A variant that CP2K rejects, or where the study says
    `gate` one above those limits, has its reason in the last column and no numbers.
    """
    unknown = sorted(set(study["columns"]) - set(options["cp2k"]))
    if unknown:
        raise BornflowError(f"columns {', '.join(unknown)} are no settings of labels.cp2k")
    cases = list(_cases(study))
    rows, references = [], {}
    for number, name, reference, variant in track(cases, "study", len(cases), "labels"):
        atoms = structures[name]
        if number not in references:
            try:
                references[number] = _label(atoms, options, reference, workdir, threads)
            except Rejected as error:
                raise BornflowError(
                    f"the reference {dict(reference)} of {name} is rejected: {error}"
                ) from error
        row = _varied(atoms, options["cp2k"] | variant, study["columns"])
        try:
            label = _label(atoms, options, variant, workdir, threads)
            if study["gate"]:
                accept(label.residuals, options["gate"])
        except Rejected as error:
            rows.append(row | {REJECTED: str(error)})
            continue
        row |= _compared(atoms, label, references[number])
        if study["seconds"]:
            row |= {f"{kind} [s]": seconds for kind, seconds in label.seconds.items()}
        rows.append(row)
    first = [key for row in rows for key in row if key != REJECTED]
    return pd.DataFrame(rows, columns=[*dict.fromkeys(first), REJECTED])


def _cases(study: Mapping) -> Iterator[tuple[tuple[int, str], str, Mapping, Mapping]]:
    for number, case in enumerate(study["cases"]):
        for name in case["structures"]:
            for variant in case["variants"]:
                yield (number, name), name, case["reference"], variant


def _varied(atoms: Atoms, used: Mapping, columns: list[str]) -> dict:
    edge = atoms.cell.volume ** (1 / 3) if atoms.pbc.any() else cell_edge(atoms, used)
    return {
        "structure": atoms.info["structure"],
        **{key: used.get(key) for key in columns},
        "operator": operator(atoms, used),
        "cell [Å]": round(edge, 3),
    }


def _compared(atoms: Atoms, label: Label, reference: Label) -> dict:
    symbols = np.array(atoms.get_chemical_symbols())
    isotropic = np.trace(label.response.bec, axis1=1, axis2=2) / 3
    return {
        "force_difference [meV/Å]": 1e3 * np.abs(label.forces - reference.forces).max(),
        "bec_difference [e]": np.abs(label.response.bec - reference.response.bec).max(),
        "net_force [meV/Å]": 1e3 * np.abs(label.forces.sum(axis=0)).max(),
        "sum_rule [e]": label.response.sum_rule,
        **{f"bec_{symbol} [e]": isotropic[symbols == symbol].mean() for symbol in np.unique(symbols)},
    }


def _label(atoms: Atoms, options: Mapping, change: Mapping, workdir: Path, threads: int) -> Label:
    # Variants of one structure share field-free runs, so their wave functions stay until the study ends.
    return cp2k(atoms, dict(options) | {"cp2k": options["cp2k"] | change}, workdir, threads, keep=True)


def named(path: str, names: set[str], where: str) -> dict[str, Atoms]:
    """Structures of an extxyz file by name; BornflowError where one of `names` is not there."""
    found = {atoms.info["structure"]: atoms for atoms in frames.read(path)}
    missing = sorted(names - set(found))
    if missing:
        raise BornflowError(f"{path} holds no structure {', '.join(missing)} ({where})")
    return {name: found[name] for name in names}


@command
def main() -> None:
    """Write the table of one study."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--study", required=True, help="a key of labels.studies")
    parser.add_argument("--config", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--threads", type=cli.threads, default=1)
    args = parser.parse_args()
    options = config.load(args.config, "labels")
    if args.study not in options["studies"]:
        raise BornflowError(
            f"labels.studies holds no {args.study}: {', '.join(options['studies']) or 'nothing'}"
        )
    study = options["studies"][args.study]
    names = {name for case in study["cases"] for name in case["structures"]}
    structures = named(study["data"], names, f"labels.studies.{args.study}")
    workdir = Path(options["cache"]).parent / "work" / f"study-{args.study}"
    try:
        table = compare(structures, study, options, workdir, args.threads)
    except BornflowError as error:
        raise BornflowError(f"labels.studies.{args.study}: {error}") from error
    with atomic_write(args.out) as scratch:
        table.to_csv(scratch, index=False, float_format="%.5g")
    if table[REJECTED].isna().all():
        shutil.rmtree(workdir, ignore_errors=True)  # reasons name outputs there


if __name__ == "__main__":
    main()
