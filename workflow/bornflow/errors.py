"""Exceptions for mistakes that a user can correct, and the one line that reports a failure."""

import contextlib
import errno
from collections.abc import Sequence
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # the disk, a quota, the largest file allowed
# How HDF5 and numpy tell of a full disk, without a number.
FULL_WORDS = ("No space left on device", "requested and", "Disk quota exceeded")


class BornflowError(Exception):
    """A user's mistake or a failed calculation.

    The message names the file or structure, the value found, the value expected and the remedy.
    """


class Rejected(BornflowError):
    """A structure without a label: its calculation failed or did not pass the gate.

    Other structures go on. What is wrong with the run as a whole (a program that is missing or was
    killed, a wrong setting) is a plain BornflowError.
    """


def explain(error: Exception, arguments: Sequence[str]) -> str:
    """One line on a failure; `arguments` are the words of the command line, which name its files."""
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
    return _explain_os_error(error, arguments)


def _explain_os_error(error: OSError, arguments: Sequence[str]) -> str:
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
