"""Command lines: options that several programs share, bounds of arguments, one line for each failure.

    @cli.command
    def main() -> None:
        \"\"\"Write the table.\"\"\"
        args = cli.parse(main, "config", "out", study=cli.option("a key of labels.studies"))

Names in quotes are options of the table SHARED; keywords are a program's own options.
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

OUTPUTS = {"--out", "--rejected", "--predictions"}  # options that name files to write


def command(main: Callable[[], None]) -> Callable[[], None]:
    """Run `main()` with messages on stderr; a user's mistake or a full disk ends in one line and status 1."""

    @functools.wraps(main)
    def run() -> None:
        handler = logging.StreamHandler()
        handler.setFormatter(_Messages())
        logging.basicConfig(level=logging.INFO, handlers=[handler])
        for library in ("jax", "matplotlib", "absl", "fontTools"):
            logging.getLogger(library).setLevel(logging.WARNING)
        try:
            _keep_inputs(Path(sys.argv[0]).stem, sys.argv[1:])
            main()
        except (BornflowError, OSError, UnicodeDecodeError, RecursionError, MemoryError) as error:
            sys.exit(f"error: {explain(error, sys.argv[1:])}")
        except RuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):  # jax, out of the accelerator's memory
                raise
            sys.exit(f"error: {explain(MemoryError(error), sys.argv[1:])}")

    return run


class _Messages(logging.Formatter):
    """The message alone, with its level before it from warnings on."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        return text if record.levelno < logging.WARNING else f"{record.levelname.lower()}: {text}"


def integer(least: int, most: int) -> Callable[[str], int]:
    """The type of an argument that is an integer from `least` to `most`."""

    def read(text: str) -> int:
        if re.fullmatch(r"[+-]?[0-9]{1,18}", text) and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"{_cut(text)} found, an integer from {least} to {most} expected")

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
        raise argparse.ArgumentTypeError(f"{_cut(text)} found, a number above 0 up to {most:g} expected")

    return read


def _cut(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


count = integer(1, 10_000_000)  # of structures
index = integer(0, 1_000_000_000)  # of a frame or a batch, from 0
seed = integer(0, 2**32 - 1)  # what numpy and HDF5 can hold
threads = integer(1, 1024)
duration = positive(100_000)  # s

_REQUIRED = object()


def option(help: str, default: Any = _REQUIRED, **more: Any) -> dict[str, Any]:
    """One value; required unless there is a `default`. `more` goes to `ArgumentParser.add_argument`."""
    required = {"required": True} if default is _REQUIRED else {"default": default}
    return {"help": help, **required, **more}


def options(help: str, default: Any = _REQUIRED, **more: Any) -> dict[str, Any]:
    """The same for several values."""
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
    """The arguments of this process: `shared` options by name and the program's `own` ones."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    for name, settings in {**own, **{name: SHARED[name] for name in shared}}.items():
        parser.add_argument("--" + name.replace("_", "-"), **settings)
    return parser.parse_args()


def _keep_inputs(module: str, arguments: Sequence[str]) -> None:
    """Raise BornflowError where a file to be written is one that is read, or another one, or a folder."""
    outputs = OUTPUTS | ({"--train", "--valid"} if module == "split" else set())
    written: dict[Path, str] = {}
    pairs = _options(arguments)
    for option, value in pairs:
        if option not in outputs:
            continue
        path = _resolved(value)
        if path in written:
            raise BornflowError(f"{value} is given for {written[path]} and {option}; give each its own file")
        if path.is_dir() and module != "train":
            raise BornflowError(f"{option} is {value}, which is a folder; give the name of a file")
        written[path] = option
    if module == "join_sets":
        return  # which adds to a set
    for option, value in pairs:
        path = _resolved(value)
        if option not in outputs and path in written and path.is_file():
            raise BornflowError(
                f"{value} is read ({option}) and would be overwritten ({written[path]}); write to another "
                "file"
            )


def _resolved(value: str) -> Path:
    """The absolute path; the value itself where it can be none."""
    try:
        return Path(value).resolve()
    except (OSError, ValueError, RuntimeError):
        return Path(value)


def _options(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Every value on the command line with the option that it is of."""
    option, found = "", []
    for word in arguments:
        if word.startswith("--"):
            option, mark, value = word.partition("=")
            found += [(option, value)] * bool(mark)
        else:
            found.append((option, word))
    return found
