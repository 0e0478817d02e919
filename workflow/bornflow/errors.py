"""Exceptions for mistakes that a user can correct, and the report of a failure in one line."""

import contextlib
import errno
from collections.abc import Sequence
from pathlib import Path

# The disk is full, a quota is used up, a file would be larger than allowed.
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# The same in the words of HDF5 and numpy, which give no error number ("4096 requested and 0 written").
NO_SPACE_WORDS = ("No space left on device", "requested and", "Disk quota exceeded")


class BornflowError(Exception):
    """A user's mistake or a failed calculation.

    The message names the file or structure, the value found, the value expected and the remedy.
    """


class Rejected(BornflowError):
    """A structure without a label: its calculation failed or did not pass the gate.

    Labelling continues with the other structures. A fault of the run itself (a program that is missing or was
    killed, a wrong setting) is a plain BornflowError.
    """


def explain(error: Exception, arguments: Sequence[str]) -> str:
    """One line about a failure; `arguments` are the words of the command line, which name its files."""
    if isinstance(error, UnicodeDecodeError):
        byte = error.object[error.start]
        return (
            f"{_find_file(error.object, arguments)}: byte 0x{byte:02x} is not UTF-8 ({error.reason}); save "
            "the file as UTF-8, or give the right file"
        )
    if isinstance(error, RecursionError):
        files = ", ".join(_existing_files(arguments)) or "an argument"
        return f"{files}: nested too deeply; is this the right file?"
    if isinstance(error, MemoryError):
        reason = _first_line(error)[:200]
        return (
            f"not enough memory{': ' * bool(reason)}{reason}; give the job more memory, or use smaller "
            "structures or batches. Finished work is kept"
        )
    if isinstance(error, OSError):
        return _explain_os_error(error, arguments)
    return str(error)


def _explain_os_error(error: OSError, arguments: Sequence[str]) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{error.filename}: no such file; correct the path"
    reason = error.strerror or _first_line(error) or type(error).__name__
    if error.errno in NO_SPACE or any(words in str(error) for words in NO_SPACE_WORDS):
        place = error.filename or _output_file(arguments) or "writing a file"
        return f"{place}: {reason}; make room and run again: finished work is kept"
    return f"{error.filename}: {reason}" if error.filename else reason


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]


def _output_file(arguments: Sequence[str]) -> str | None:
    """The file after `--out`."""
    with contextlib.suppress(ValueError, IndexError):
        return arguments[arguments.index("--out") + 1]
    return None


def _existing_files(arguments: Sequence[str]) -> list[str]:
    """The arguments that are existing files."""
    # Longer words, and words with NUL, cannot be looked up.
    return [word for word in arguments if len(word) < 4096 and "\0" not in word and Path(word).is_file()]


def _find_file(content: bytes, arguments: Sequence[str]) -> str:
    """The file among the arguments that contains these bytes."""
    with contextlib.suppress(OSError):
        for path in _existing_files(arguments):
            if content in Path(path).read_bytes():
                return path
    return "a file that was read"
