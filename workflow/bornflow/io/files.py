"""Writing of files, completely or not at all, and locks on folders."""

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import BornflowError


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` when the block succeeds.

    The temporary name keeps the suffix, since several writers choose a format by it. If the block raises, the
    temporary file is removed and `path` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        with _name_file_in_errors(path):
            yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes files that only their owner can read
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # a crash of the machine leaves no renamed file without content
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _name_file_in_errors(path: Path) -> Iterator[None]:
    """Add the file name to an OSError without one, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


HELD_LOCKS: set[int] = set()  # file descriptors; a program that inherits them keeps the locks too


@contextlib.contextmanager
def locked(directory: str | Path) -> Iterator[None]:
    """Reserve `directory` (made if missing) for this process; wait while another process has it.

    Raises BornflowError where the file system has no locks.
    """
    directory = Path(directory)
    with _lock_beside(directory, fcntl.LOCK_EX):
        directory.mkdir(parents=True, exist_ok=True)
        yield


@contextlib.contextmanager
def sole_writer(path: str | Path) -> Iterator[None]:
    """Reserve `path`, the output of a long job, for this process.

    Raises BornflowError if another process has it, such as a job that outlived its killed Snakemake, and
    where the file system has no locks.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(_lock_beside(Path(path), fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise BornflowError(
                f"{path}: another process is writing it, perhaps a job of a run that was killed. Wait until "
                "it has ended, or end it, and run again"
            ) from error
        yield


@contextlib.contextmanager
def _lock_beside(path: Path, operation: int) -> Iterator[None]:
    """Hold a lock on a file next to `path`, opened for writing as network file systems require."""
    lock = path.with_name(path.name + ".lock")
    while True:
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError as error:
            os.close(descriptor)
            raise BornflowError(
                f"{lock}: {error.strerror}. Its file system has no locks, which keep two jobs from one "
                "folder; put `results` and labels.cache elsewhere, or mount it with locks (Lustre: flock)"
            ) from error
        # The previous owner of the lock may have removed it in the meantime.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(lock), os.fstat(descriptor)):
                break
        os.close(descriptor)
    HELD_LOCKS.add(descriptor)
    try:
        yield
    finally:
        HELD_LOCKS.discard(descriptor)
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, completely or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` to `path` as indented JSON, completely or not at all."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")
