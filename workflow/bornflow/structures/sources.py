"""Structures of published sources, as extxyz.

    python -m bornflow.structures.sources --source water27 --registry resources/sources.csv \\
        --downloads downloads --out water27.extxyz

A registry (`config.registry`) describes the sources. Their files are in the folder `downloads`/SOURCE. What
is missing there is fetched by pooch (doi 10.21105/joss.01943), if the source has a URL. Files are read by
ASE, those of n2p2 by dpdata.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms

from .. import cli, geometry, spacing
from ..config import registry
from ..config.registry import Source
from ..errors import BornflowError
from ..io import frames
from . import n2p2
from .download import fetch

logger = logging.getLogger(__name__)


def present_files(source: Source, folder: Path) -> list[Path]:
    """The files of a source in its folder; missing ones are fetched and all known checksums are checked.

    Raises BornflowError, which says what to place where, for a file that is missing and cannot be fetched.
    """
    if source.url:
        return [fetch(source.url, name, folder, checksum) for name, checksum in source.files.items()]
    found = []
    for name, checksum in source.files.items():
        paths = sorted(folder.glob(name))
        if not paths:
            raise BornflowError(
                f"source {source.name}: {folder}/{name} is missing, and it has no URL: take it from "
                f"{source.page} and place it there"
            )
        if checksum:
            fetch("", name, folder, checksum)
        found += paths
    return found


def read_structures(source: Source, files: Sequence[Path]) -> list[Atoms]:
    """All structures of a source, named `SOURCE-NAME`, with the labels of its files.

    Raises BornflowError if their number is not that of the registry, or if distances between atoms show that
    positions are in another unit.
    """
    if source.format == "extxyz":
        structures = frames.read_all(files, keys=dict(source.keys))
    else:
        names = _names(files)
        structures = [
            atoms
            for path, name in zip(files, names, strict=True)
            for atoms in _read_foreign(path, name, source.format)
        ]
    if len(structures) != source.structures:
        raise BornflowError(
            f"source {source.name}: {len(structures)} structures found in {_listed(files)}, but its row of "
            f"the registry has {source.structures}; correct the row, or get the files again"
        )
    for atoms in structures:
        atoms.info["structure"] = f"{source.name}-{atoms.info['structure']}"
        atoms.info["source"] = source.citation
        _check(atoms, source)
    return structures


def _check(atoms: Atoms, source: Source) -> None:
    """Raise BornflowError for impossible positions, cells or distances, and labels that are not finite."""
    place = f"{frames.name(atoms)} of source {source.name}"
    try:
        geometry.check(atoms.positions, atoms.cell.array if atoms.pbc.any() else None)
    except BornflowError as error:
        raise BornflowError(f"{place}: {error}") from error
    problem = spacing.problem(atoms)
    for key in frames.LABELS:
        values = frames.label(atoms, key)
        if values is not None and not np.isfinite(values).all():
            problem = f"{key} is not finite"
    if problem:
        raise BornflowError(f"{place}: {problem}; correct its format or its files")


def _names(files: Sequence[Path]) -> list[str]:
    """A name for each file: that of its folder if all files have one name, as in `H2O20/struc.xyz`."""
    if len(files) > 1 and len({path.name for path in files}) == 1:
        files = [path.parent for path in files]
    return frames.file_names(files)


def _read_foreign(path: Path, name: str, format: str) -> list[Atoms]:
    """The structures of one file in the format of another program."""
    try:
        read = n2p2.read(path) if format == "n2p2" else _read_by_ase(path, format)
    except (BornflowError, MemoryError):
        raise
    except Exception as error:  # each reader of ASE raises its own types
        if isinstance(error, OSError) and error.errno is not None:
            raise  # a missing file, no permission
        raise BornflowError(
            f"{path} cannot be read as {format}: {type(error).__name__}: {error}; correct the file, or its "
            "format in the registry"
        ) from error
    if not read or not all(map(len, read)):
        raise BornflowError(f"{path} cannot be read as {format}: no atoms found; correct the file")
    for number, atoms in enumerate(read):
        atoms.info["structure"] = name if len(read) == 1 else f"{name}-{number}"
    return read


def _read_by_ase(path: Path, format: str) -> list[Atoms]:
    """Elements, positions, cell and periodicity of all frames; their labels where ASE reads some."""
    structures = []
    found: Any = ase.io.read(path, index=":", format=format)
    for atoms in found:
        labels = dict(atoms.calc.results) if atoms.calc is not None else {}
        plain = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        kept = {key: labels[key] for key in ("energy", "forces") if key in labels}
        structures.append(frames.with_labels(plain, kept) if kept else plain)
    return structures


def _listed(files: Sequence[Path]) -> str:
    return str(files[0]) if len(files) == 1 else f"{len(files)} files in {files[0].parent}"


@cli.command
def main() -> None:
    """Write the structures of a source, which is fetched if needed."""
    args = cli.parse(
        main,
        "out",
        source=cli.option("name of the source in the registry"),
        registry=cli.option("CSV file that describes the sources"),
        downloads=cli.option("folder of fetched files", "downloads", type=Path),
    )
    sources = registry.read(args.registry)
    if args.source not in sources:
        raise BornflowError(
            f"--source is {args.source}, but {args.registry} has {', '.join(sources)}; give one of them"
        )
    source = sources[args.source]
    files = present_files(source, args.downloads / source.name)
    frames.write(args.out, read_structures(source, files))
    logger.info(
        "%s: %s. Licence: %s. Please cite %s",
        source.name,
        source.description,
        source.licence,
        source.citation,
    )


if __name__ == "__main__":
    main()
