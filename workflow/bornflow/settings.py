"""Configurations: defaults, checks and the sections that stages read.

`workflow/schemas/config.schema.yaml` describes every key with its type, unit, range and default.
A configuration file says only what differs; unknown keys, wrong types and impossible values are
refused with the key, the value found and what is allowed.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from .contradictions import contradictions
from .errors import BornflowError, command
from .io.files import write_text
from .schema import filled, refuse


def complete(config: Mapping, name: str = "config") -> dict:
    """A whole configuration with every default filled in, or BornflowError naming what is wrong.

    Sections are held against each other too.
    """
    full = filled(config, name)
    refuse([*contradictions(full)], name)
    return full


def load(path: str | Path | None, section: str) -> dict:
    """One section of a configuration file (all defaults where `path` is None)."""
    given = {}
    if path is not None:
        try:
            given = yaml.safe_load(Path(path).read_text()) or {}
        except yaml.YAMLError as error:
            raise BornflowError(f"{path} is not YAML: {error}") from error
        if not isinstance(given, dict):
            raise BornflowError(f"{path}: sections are expected at the top, found {given!r}")
    return filled(given, str(path))[section]


@command
def main() -> None:
    """Write a part of a configuration as a file of its own."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--json", required=True, help="the sections and their values")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    write_text(args.out, yaml.safe_dump(json.loads(args.json)))


if __name__ == "__main__":
    main()
