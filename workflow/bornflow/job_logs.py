"""Warnings that jobs wrote to their logs, for the end of a run."""

from collections import defaultdict
from pathlib import Path

SHOWN = 20


def find_warnings(folder: str | Path, since: float) -> str:
    """Lines `warning: …` of the logs under `folder` that changed after the time `since` [s], empty if none.

    Equal warnings are given once, with the first log and their number.
    """
    logs_of: dict[str, list[Path]] = defaultdict(list)
    for log in sorted(Path(folder).rglob("*.log")):
        if log.stat().st_mtime >= since:
            with log.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if line.startswith("warning: "):
                        logs_of[line.strip()].append(log)
    text = [
        f"{line} ({logs[0]}{f' and {len(logs) - 1} times more' if len(logs) > 1 else ''})"
        for line, logs in logs_of.items()
    ]
    if len(text) > SHOWN:
        text[SHOWN:] = [f"and {len(text) - SHOWN} other warnings in the logs under {folder}"]
    return "".join(f"{line}\n" for line in text)
