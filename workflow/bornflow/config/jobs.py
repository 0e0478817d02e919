"""Limits on the number of jobs of a configuration, and on the length of their command lines.

Snakemake plans every job before it runs the first one, and Linux accepts commands of up to 128 KiB.
"""

import shlex
from collections.abc import Iterator, Mapping

from . import pools

MOST_JOBS = 100_000  # takes some minutes to plan
LONGEST_LIST = 120_000  # bytes of a list of files; the rest of the command needs some room


def too_many_jobs(full: Mapping) -> Iterator[str]:
    """A message for every setting that makes too many jobs, or gives too many files to one job."""
    jobs = _job_counts(full)
    for setting, count in jobs.items():
        if count > MOST_JOBS:
            yield f"{setting} make {count} jobs, {MOST_JOBS} at most can be planned; ask for fewer"
    if max(jobs.values()) > MOST_JOBS:
        return
    for setting, length in _list_lengths(full).items():
        if length > LONGEST_LIST:
            yield (
                f"{setting} make a list of files of {length} characters, but a command can have "
                f"at most {LONGEST_LIST}; join files, shorten their names, or use fewer or larger batches"
            )


def _job_counts(full: Mapping) -> dict[str, int]:
    """Jobs by the setting that makes them."""
    selected, size = _selected(full), full["labels"]["batch_size"]
    trained = _trained(full)
    replicas = sum(system["replicas"] for system in full["dynamics"]["systems"].values())
    return {
        "structures.pools, with every start,": sum(
            pools.starts(full, name) for name in full["structures"]["pools"]
        ),
        "grow.rounds, with every start,": full["grow"]["rounds"]
        * sum(pools.starts(full, name) for name in full["structures"]["pools"]),
        f"labels.batch_size: {selected} structures in batches of {size}": _batches(full),
        "training.recipes, with every model and seed,": trained * (1 + len(full["training"]["recipes"])),
        "dynamics.systems, with every model, seed and replica,": trained * replicas,
    }


def _list_lengths(full: Mapping) -> dict[str, int]:
    """Bytes of the longest lists of files in a command, by the setting that makes them."""
    training, systems, results = full["training"], full["dynamics"]["systems"], full["results"]
    model = "x" * max(map(len, full["models"])) + "-4294967295"  # the largest seed
    batch = f"{results}/labels/batches/{_batches(full)}.extxyz"
    run = f"{results}/dynamics/{max(systems, key=len, default='')}/{model}-9999.h5"
    metrics = (
        f"{results}/training/recipes/{max(training['recipes'], key=len, default='')}/{model}/metrics.json"
    )
    recipes = _trained(full) * (1 + len(training["recipes"]))
    replicas = max((system["replicas"] for system in systems.values()), default=0)
    return {
        "labels.batch_size: the batches": _batches(full) * _bytes(batch),
        **{
            f"structures.pools.{name}: the starts": pools.starts(full, name)
            * _bytes(f"{results}/structures/starts/{name}/{pools.starts(full, name)}.extxyz")
            for name in full["structures"]["pools"]
        },
        "training.recipes": recipes * _bytes(metrics),
        "dynamics.systems: the replicas of one": replicas * _bytes(run),
        **{f"training.{key}": _sum(training[key]) for key in ("data", "pretraining", "validation")},
        **{
            f"structures.pools.{name}.files": _sum(pool.get("files", []))
            for name, pool in full["structures"]["pools"].items()
        },
    }


def _selected(full: Mapping) -> int:
    """Structures to label."""
    return sum(pools.most_selected(full, name) for name in pools.labelled(full))


def _batches(full: Mapping) -> int:
    """Batches of structures to label."""
    return -(-_selected(full) // full["labels"]["batch_size"])


def _trained(full: Mapping) -> int:
    """Models trained with one recipe."""
    return len(full["models"]) * len(full["training"]["seeds"])


def _sum(paths: list[str]) -> int:
    return sum(map(_bytes, paths))


def _bytes(path: str) -> int:
    """Bytes of a path in a command, quoted and with the blank after it."""
    return len(shlex.quote(path).encode()) + 1
