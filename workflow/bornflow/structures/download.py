"""One file of a source: checked, and fetched if it is missing."""

import logging
import os
from pathlib import Path
from typing import Any

import pooch
import requests

from ..errors import BornflowError
from ..io.files import locked
from ..progress import Meter

logger = logging.getLogger(__name__)

RETRIES = 3
PATIENCE = 30  # s without any data
PIECE = 2**18  # bytes


def fetch(url: str, name: str, folder: Path, checksum: str | None) -> Path:
    """The file `name` in `folder`, with the SHA-256 `checksum`; fetched from `url`/`name` if it is missing.

    A file with another checksum is an error, not fetched again: it may be a person's. Without a checksum, the
    one of the file is reported, to be written into the registry.
    """
    path = folder / name
    if path.exists():
        found = pooch.file_hash(str(path), alg="sha256")
        if checksum and found != checksum:
            raise BornflowError(
                f"{path} has the SHA-256 {found}, but the registry has {checksum}: the file is damaged or of "
                "another version; remove it, so that it is fetched again, or correct the registry"
            )
        return path
    try:
        with locked(folder):
            pooch.create(
                path=folder,
                base_url=url,
                registry={name: f"sha256:{checksum}" if checksum else None},
                retry_if_failed=RETRIES,
            ).fetch(name, downloader=_ResumingDownloader(path.with_name(path.name + ".part")))
    except (requests.RequestException, ValueError, OSError) as error:
        if isinstance(error, OSError) and not isinstance(error, requests.RequestException) and error.errno:
            raise  # a full disk, a folder without permission
        reason = str(error).splitlines()[0]
        if "does not match the known hash" in str(error):
            raise BornflowError(
                f"{url}{name} has another SHA-256 than the registry ({checksum}): it is another version, or "
                "was changed; correct the registry if it is what you want"
            ) from error
        raise BornflowError(
            f"{url}{name} cannot be fetched: {reason}. Without a connection, place the file at {path}"
        ) from error
    if not checksum:
        found = pooch.file_hash(str(path), alg="sha256")
        logger.warning("%s has no checksum in the registry; write it there: sha256 %s", path, found)
    return path


class _ResumingDownloader:
    """A downloader for pooch that continues an interrupted file, which it keeps as `part`."""

    def __init__(self, part: Path):
        self._part = part

    def __call__(self, url: str, output_file: str, _: Any) -> None:
        have = self._part.stat().st_size if self._part.exists() else 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, stream=True, timeout=PATIENCE, headers=headers) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                self._part.unlink()  # of another version
                raise requests.ConnectionError("the file cannot be continued and is begun again")
            answer.raise_for_status()
            if answer.status_code != requests.codes.partial_content:
                have = 0  # a server that always sends the whole file
            self._save(answer, have)
        os.replace(self._part, output_file)

    def _save(self, answer: requests.Response, have: int) -> None:
        """Write the answer after the first `have` bytes. Raises ConnectionError if it ends early."""
        total = have + int(answer.headers.get("Content-Length", 0))
        with (
            Meter(self._part.stem, total, "bytes", have) as meter,
            self._part.open("ab" if have else "wb") as file,
        ):
            for piece in answer.iter_content(PIECE):
                file.write(piece)
                meter.advance(len(piece))
        if meter.done < total:
            raise requests.ConnectionError(f"the connection was lost after {meter.done} of {total} bytes")
