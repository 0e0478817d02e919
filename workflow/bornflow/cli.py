"""Command lines: shared options, limits of arguments, and one line for each failure.

    @cli.command
    def main() -> None:
        \"\"\"Write the table.\"\"\"
        args = cli.parse(main, "config", "out", study=cli.option("a key of labels.studies"))

This program has the options `--config` and `--out` of the table SHARED and its own option `--study`.
Messages are written to stderr: `logger.info` unchanged, `logger.warning` with the prefix `warning: `. A
user's mistake ends the program with one line `error: …` and exit status 1.
"""

import argparse
import functools
import logging
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import BornflowError, explain


def command(main: Callable[[], None]) -> Callable[[], None]:
    """Make `main()` a program that logs to stderr and reports a user's mistake or a full disk in one line."""

    @functools.wraps(main)
    def run() -> None:
        _log_to_stderr()
        arguments = sys.argv[1:]
        try:
            _protect_inputs(Path(sys.argv[0]).stem, arguments)
            main()
        except (BornflowError, OSError, UnicodeDecodeError, RecursionError, MemoryError) as error:
            sys.exit(f"error: {explain(error, arguments)}")
        except RuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):  # jax, out of the accelerator's memory
                raise
            sys.exit(f"error: {explain(MemoryError(str(error)), arguments)}")

    return run


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_MessageFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for library in ("jax", "matplotlib", "absl", "fontTools"):
        logging.getLogger(library).setLevel(logging.WARNING)


class _MessageFormatter(logging.Formatter):
    """The message; warnings and errors begin with the level (`warning: …`)."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        return message if record.levelno < logging.WARNING else f"{record.levelname.lower()}: {message}"


def integer(least: int, most: int) -> Callable[[str], int]:
    """The type of an argument that is an integer from `least` to `most`."""

    def read(text: str) -> int:
        if re.fullmatch(r"[+-]?[0-9]{1,18}", text) and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(
            f"{_shorten(text)} found, but an integer from {least} to {most} is expected"
        )

    return read


def positive(most: float) -> Callable[[str], float]:
    """The type of an argument that is a number above 0, up to `most`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if 0 < value <= most:
            return value
        raise argparse.ArgumentTypeError(
            f"{_shorten(text)} found, but a number above 0 and up to {most:g} is expected"
        )

    return read


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


count = integer(1, 10_000_000)  # of structures
index = integer(0, 1_000_000_000)  # of a frame or a batch, from 0
seed = integer(0, 2**32 - 1)  # the range of numpy and HDF5
threads = integer(1, 1024)
duration = positive(100_000)  # s

_REQUIRED = object()


def option(help: str, default: Any = _REQUIRED, **more: Any) -> dict[str, Any]:
    """An option with one value, required unless it has a `default`. The help shows the default.

    `more` are arguments of `ArgumentParser.add_argument`, such as `type=cli.count`.
    """
    if default is _REQUIRED:
        return {"help": help, "required": True, **more}
    if isinstance(default, str | int | float) and not isinstance(default, bool) and "default" not in help:
        help += " (default: %(default)s)"
    return {"help": help, "default": default, **more}


def options(help: str, default: Any = _REQUIRED, **more: Any) -> dict[str, Any]:
    """An option with several values; at least one if it is required."""
    return option(help, default, nargs="+" if default is _REQUIRED else "*", **more)


SHARED: Mapping[str, dict[str, Any]] = {
    "structures": option("extxyz file of structures"),
    "checkpoint": option("folder of a trained model"),
    "runs": options("HDF5 files of runs", type=Path),
    "config": option("configuration file; without one all settings have their defaults", None),
    "seed": option("seed of the random numbers", 0, type=seed),
    "threads": option("processor cores to use", 1, type=threads),
    "rejected": option("CSV file to write: structures without a label, with reasons"),
    "out": option("file to write"),
}


def parse(main: Callable[[], None], *shared: str, **own: Mapping[str, Any]) -> argparse.Namespace:
    """The arguments of this process: the `shared` options, by their names in SHARED, and the program's `own`.

    The docstring of `main` is the description in the help.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    for name, settings in {**own, **{name: SHARED[name] for name in shared}}.items():
        parser.add_argument("--" + name.replace("_", "-"), **settings)
    return parser.parse_args()


# Options that name files to write: for all programs, and further options of single programs (modules).
OUTPUTS = {"--out", "--rejected", "--predictions"}
MORE_OUTPUTS = {"split": {"--train", "--valid"}, "sample": {"--left-out"}, "select": {"--map", "--coverage"}}
WRITES_FOLDER = {"imported", "published", "train"}  # all others write files
EXTENDS_INPUT = {"join_sets"}  # may write to a file that it reads, to extend a set


def _protect_inputs(program: str, arguments: Sequence[str]) -> None:
    """Raise BornflowError if two outputs are the same file, one is a folder, or one is also an input."""
    outputs = OUTPUTS | MORE_OUTPUTS.get(program, set())
    values = _values_of_options(arguments)
    written: dict[Path, str] = {}
    for option, value in values:
        if option not in outputs:
            continue
        path = _resolve(value)
        if path in written:
            raise BornflowError(f"{value} is given for {written[path]} and {option}; give each its own file")
        if path.is_dir() and program not in WRITES_FOLDER:
            raise BornflowError(f"{option} is {value}, which is a folder; give the name of a file")
        written[path] = option
    if program in EXTENDS_INPUT:
        return
    for option, value in values:
        path = _resolve(value)
        if option not in outputs and path in written and path.is_file():
            raise BornflowError(
                f"{value} is read ({option}) and would be overwritten ({written[path]}); write to another "
                "file"
            )


def _values_of_options(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Every value with its option: `--runs a b --out=c` is (--runs, a), (--runs, b), (--out, c)."""
    option, values = "", []
    for word in arguments:
        if word.startswith("--"):
            option, equals, value = word.partition("=")
            if equals:
                values.append((option, value))
        else:
            values.append((option, word))
    return values


def _resolve(value: str) -> Path:
    """The absolute path; the value as it is if it cannot be a path."""
    try:
        return Path(value).resolve()
    except (OSError, ValueError, RuntimeError):
        return Path(value)
