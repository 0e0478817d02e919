"""Writing files so that they appear whole or not at all."""

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a scratch path beside `path`; rename it to `path` when the block succeeds.

    The scratch name keeps the suffix, since several writers choose a format by it.
    If the block raises, the scratch file is removed and `path` stays untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    scratch = Path(name)
    try:
        with _naming(path):
            yield scratch
        umask = os.umask(0)
        os.umask(umask)
        scratch.chmod(0o666 & ~umask)  # mkstemp makes files that only their owner can read
        with scratch.open("rb") as handle:
            os.fsync(handle.fileno())  # a crash of the machine leaves no renamed file without content
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in errors of the system that name none, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


LOCKS: set[int] = set()  # descriptors of the locks held; a program that is given them holds them too


@contextlib.contextmanager
def locked(directory: str | Path) -> Iterator[None]:
    """Hold `directory` (made if missing) for this process alone; wait while another one has it.

    The lock is on a file beside it, open for writing, which network file systems want.
    """
    directory = Path(directory)
    lock = directory.with_name(directory.name + ".lock")
    while True:
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT)
        fcntl.flock(handle, fcntl.LOCK_EX)
        # The one who had it may have removed both meanwhile.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(lock), os.fstat(handle)):
                directory.mkdir(parents=True, exist_ok=True)
                break
        os.close(handle)
    LOCKS.add(handle)
    try:
        yield
    finally:
        LOCKS.discard(handle)
        lock.unlink(missing_ok=True)
        os.close(handle)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with atomic_write(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value) -> None:
    """Write `value` as indented JSON to `path`, whole or not at all."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")
