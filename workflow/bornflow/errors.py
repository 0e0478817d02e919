"""Errors a user can mend, and how a command line reports them."""

import contextlib
import errno
import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # the disk, a quota, the largest file allowed
# How HDF5 and numpy tell of a full disk, without a number.
FULL_WORDS = ("No space left on device", "requested and", "Disk quota exceeded")


class BornflowError(Exception):
    """A user's mistake or a failed calculation.

    The message names the file or structure, the value found, the value expected and the remedy.
    """


class Refused(BornflowError):
    """A structure without a label: its calculation failed or did not pass the gate.

    Other structures go on. What is wrong with the run as a whole (a program that is missing or was
    killed, a wrong setting) is a plain BornflowError.
    """


def command(main: Callable[[], None]) -> Callable[[], None]:
    """Run a `main()` so that a user's mistake or a machine's limit ends in one line and exit status 1."""

    @functools.wraps(main)
    def run() -> None:
        try:
            _keep_inputs(Path(sys.argv[0]).stem, sys.argv[1:])
            main()
        except (BornflowError, OSError, UnicodeDecodeError, RecursionError, MemoryError) as error:
            sys.exit(f"error: {_words(error, sys.argv[1:])}")
        except RuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):  # jax, where the accelerator's memory ends
                raise
            sys.exit(f"error: {_words(MemoryError(error), sys.argv[1:])}")

    return run


OUTPUTS = {"--out", "--refused", "--predictions"}  # options of all modules that name files to be written


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
    if module == "merge":
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


def _words(error: Exception, arguments: Sequence[str]) -> str:
    """What to say of an error; `arguments` are those of the command line, among which its files are."""
    if isinstance(error, BornflowError):
        return str(error)
    if isinstance(error, UnicodeDecodeError):
        byte = error.object[error.start]
        return (
            f"{_file_with(error.object, arguments)}: byte 0x{byte:02x} is not UTF-8 ({error.reason}); "
            "save the file as UTF-8, or give the file that belongs here"
        )
    if isinstance(error, RecursionError):
        return f"{', '.join(_files(arguments)) or 'an argument'}: nested too deeply; is this the right file?"
    if isinstance(error, MemoryError):
        first = (str(error).splitlines() or [""])[0][:200]
        return (
            f"not enough memory{': ' * bool(first)}{first}; give the job more memory, or take smaller "
            "structures or batches. What is finished is kept"
        )
    return _of_the_system(error, arguments)


def _of_the_system(error: OSError, arguments: Sequence[str]) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{error.filename}: no such file"
    reason = error.strerror or (str(error).splitlines() or [type(error).__name__])[0]
    if error.errno in FULL or any(words in str(error) for words in FULL_WORDS):
        place = error.filename or _output(arguments) or "writing a file"
        return f"{place}: {reason}; make room and run again: what is finished is kept"
    return f"{error.filename}: {reason}" if error.filename else reason


def _output(arguments: Sequence[str]) -> str | None:
    """The file that the command writes."""
    with contextlib.suppress(ValueError, IndexError):
        return arguments[arguments.index("--out") + 1]
    return None


def _files(arguments: Sequence[str]) -> list[str]:
    """The files among the arguments that are there."""
    return [each for each in arguments if len(each) < 4096 and "\0" not in each and Path(each).is_file()]


def _file_with(content: bytes, arguments: Sequence[str]) -> str:
    """Which of the files holds these bytes."""
    with contextlib.suppress(OSError):
        for path in _files(arguments):
            if content in Path(path).read_bytes():
                return path
    return "a file that was read"
