"""The registry of sources: published structures that pools can name, one row each (`structures.sources`).

A source has one file, or those of a list of checksums as `sha256sum` writes it. With a `url` they can be
fetched; without one a person places them in a folder (`structures.downloads`), from the page `page`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from ..errors import BornflowError
from ..io import documents, tables

REMEDY = "correct it (docs/structures.md describes the columns)"
SHA256 = re.compile("[0-9a-f]{64}")
QUANTITIES = ("energy", "forces", "bec")


@dataclass(frozen=True)
class Source:
    """A row of the registry."""

    name: str
    description: str
    structures: int  # number of structures
    format: str  # extxyz, n2p2, or a format of ase.io
    keys: Mapping[str, str]  # our keys of labels and those of the files
    files: Mapping[str, str | None]  # name or pattern, and SHA-256 if it is known
    url: str  # of the folder of the files; empty if they cannot be fetched
    page: str
    version: str
    licence: str
    citation: str


def read(path: str | Path) -> dict[str, Source]:
    """The sources of a registry by name. Raises BornflowError for incomplete rows and repeated names."""
    changed = Path(path).stat().st_mtime_ns if Path(path).is_file() else 0
    return _read(str(path), changed)


def state(path: str | Path, name: str, downloads: str | Path) -> str:
    """A text that changes with the row of a source, and with its files if it has no URL."""
    source = read(path)[name]
    folder = Path(downloads, name)
    placed = [] if source.url else [file for pattern in source.files for file in folder.glob(pattern)]
    versions = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(placed)]
    return repr((source, versions))


@cache
def _read(path: str, changed: int) -> dict[str, Source]:
    """As `read`, which several checks call; `changed` is when the file was last written."""
    texts = ("name", "description", "format", "page", "licence", "citation")
    table = tables.read(
        path,
        REMEDY,
        positive=("structures",),
        texts=texts,
        notes=("keys", "files", "sha256", "url", "version"),
        others="none",
    )
    sources: dict[str, Source] = {}
    for line, row in enumerate(table.to_dict("records"), start=2):
        place = f"{path}, line {line}"
        name = row["name"]
        if not re.fullmatch("[A-Za-z][A-Za-z0-9_-]{0,39}", name):
            raise BornflowError(
                f"{place}: name {name!r}: a letter, then letters, digits, - and _ are allowed, 40 at most; "
                f"{REMEDY}"
            )
        if name in sources:
            raise BornflowError(f"{place}: name {name!r} is there twice; {REMEDY}")
        described = {key: str(row[key]) for key in (*texts, "url", "version")}
        sources[name] = Source(
            **described,
            structures=_parse_count(place, row["structures"]),
            keys=_parse_keys(place, row["keys"], row["format"]),
            files=_parse_files(place, path, row),
        )
        if row["url"] and not row["url"].endswith("/"):
            raise BornflowError(
                f"{place}: url {row['url']!r} does not end with /; give that of the folder of the files"
            )
    return sources


def _parse_count(place: str, value: float) -> int:
    if value != int(value):
        raise BornflowError(f"{place}: structures is {value}, but an integer is expected; {REMEDY}")
    return int(value)


def _parse_keys(place: str, text: str, format: str) -> dict[str, str]:
    """`energy=TotEnergy forces=force` as a mapping."""
    if text and format != "extxyz":
        raise BornflowError(f"{place}: keys {text!r}: only extxyz files have keys; leave it empty")
    keys: dict[str, str] = {}
    for word in text.split():
        ours, equals, theirs = word.partition("=")
        if not (equals and theirs and ours in QUANTITIES):
            raise BornflowError(
                f"{place}: keys has {word!r}, but energy=KEY, forces=KEY or bec=KEY is expected; {REMEDY}"
            )
        if ours in keys or theirs in keys.values():
            raise BornflowError(f"{place}: keys {text!r}: {word!r} repeats a key; {REMEDY}")
        keys[ours] = theirs
    return keys


def _parse_files(place: str, registry: str, row: Mapping[str, str]) -> dict[str, str | None]:
    """The names of the files with their checksums, from the row or from a list in a file."""
    checksum = row["sha256"]
    if checksum and not SHA256.fullmatch(checksum):
        if row["files"]:
            raise BornflowError(f"{place}: sha256 {checksum!r} is not of 64 digits and a to f; {REMEDY}")
        return _read_checksums(Path(registry).parent / checksum)
    if not row["files"]:
        raise BornflowError(f"{place}: files is empty; give the name of the file, or a list in sha256")
    _reject_other_folders(place, row["files"])
    if (row["url"] or checksum) and any(mark in row["files"] for mark in "*?["):
        raise BornflowError(
            f"{place}: files {row['files']!r}: with a url or a sha256 it names one file; {REMEDY}"
        )
    return {row["files"]: checksum or None}


def _read_checksums(path: Path) -> dict[str, str | None]:
    files: dict[str, str | None] = {}
    for number, line in enumerate(documents.read_text(path, REMEDY).splitlines(), start=1):
        match = re.fullmatch("([0-9a-f]{64}) [ *](.+)", line)
        if match is None:
            raise BornflowError(f"{path}, line {number}: {line!r} is not a line of sha256sum; {REMEDY}")
        _reject_other_folders(f"{path}, line {number}", match[2])
        files[match[2]] = match[1]
    if not files:
        raise BornflowError(f"{path} is empty; {REMEDY}")
    return files


def _reject_other_folders(place: str, name: str) -> None:
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts:
        raise BornflowError(f"{place}: file {name!r} is outside the folder of the source; {REMEDY}")
