"""How many jobs a configuration asks for, and whether their command lines can be that long.

Snakemake plans every job before it runs the first one, and Linux takes no command of over 128 KiB.
"""

import shlex
from collections.abc import Iterator, Mapping

MOST = 100_000  # jobs, some minutes of planning
LONGEST = 120_000  # bytes of a list of files, which leaves room for the rest of the command


def too_many(full: Mapping) -> Iterator[str]:
    """Words on numbers of a complete configuration that make too many jobs, or too many files for one job."""
    training, systems = full["training"], full["dynamics"]["systems"]
    pools, size = full["structures"]["pools"], full["labels"]["batch_size"]
    selected = sum(pool["select"] for pool in pools.values())
    batches = -(-selected // size)
    trained = len(full["models"]) * len(training["seeds"])
    jobs = {
        f"labels.batch_size: {selected} structures in batches of {size}": batches,
        "training.recipes, with every model and seed,": trained * (1 + len(training["recipes"])),
        "dynamics.systems, with every model, seed and replica,": trained
        * sum(system["replicas"] for system in systems.values()),
    }
    for what, count in jobs.items():
        if count > MOST:
            yield f"{what} make {count} jobs, {MOST} at most can be planned; ask for fewer"
    results, longest = full["results"], max(map(len, full["models"]))
    run = f"{results}/dynamics/{max(systems, key=len, default='')}/{'x' * longest}-4294967295-9999.h5"
    recipe = f"{max(training['recipes'], key=len, default='')}/{'x' * longest}"
    metrics = f"{results}/training/recipes/{recipe}/4294967295/metrics.json"
    lists = {
        "labels.batch_size: the batches": batches * _bytes(f"{results}/labels/batches/{batches}.extxyz"),
        "training.recipes": jobs["training.recipes, with every model and seed,"] * _bytes(metrics),
        "dynamics.systems: the replicas of one": max((s["replicas"] for s in systems.values()), default=0)
        * _bytes(run),
        "training.data": sum(map(_bytes, training["data"])),
        "training.pretraining": sum(map(_bytes, training["pretraining"])),
        "training.validation": sum(map(_bytes, training["validation"])),
        **{
            f"structures.pools.{name}.files": sum(map(_bytes, pool.get("files", [])))
            for name, pool in pools.items()
        },
    }
    for what, length in lists.items():
        if length > LONGEST and max(jobs.values()) <= MOST:
            yield (
                f"{what} make a list of files of {length} characters, one command takes {LONGEST}; "
                "join files, shorten their names, or ask for fewer or larger batches"
            )


def _bytes(path: str) -> int:
    """What a path takes in a command, quoted and with the blank behind it."""
    return len(shlex.quote(path).encode()) + 1
