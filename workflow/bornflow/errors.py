"""Errors a user can mend, and how a command line reports them."""

import functools
import sys
from collections.abc import Callable


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
    """Run a `main()` so that a `BornflowError` ends in one clear line and exit status 1."""

    @functools.wraps(main)
    def run() -> None:
        try:
            main()
        except BornflowError as error:
            sys.exit(f"error: {error}")
        except FileNotFoundError as error:
            sys.exit(f"error: {error.filename}: no such file")
        except OSError as error:
            if error.strerror is None:
                raise
            sys.exit(f"error: {error.filename or 'writing a file'}: {error.strerror}")

    return run
