"""Names that a configuration gives and that would meet names of ours, or each other, in a path.

The schema allows letters, digits, - and _, so that no name can leave its place in a path. What is left:
files of the rules that are named like those of a model, and file systems that take A and a for one name.
"""

import re
from collections.abc import Iterator, Mapping

# What a name may not be, and why, by the table it stands in.
TAKEN = {
    "models": {
        r"deviations": "tables of deviations from measured water are called that",
        r"(velocities|response)-.*": "tables of velocities and of responses begin so",
        r"lorem-jax": "that is the package which `make bench` times",
    },
    "labels.studies": {r"linear_response": "the table of labels.linear_response is called that"},
}
EVERYWHERE = {
    r"none": "it stands for no name at all",
    r".*?(.{1,2})\1{19}": "Snakemake takes so many repeats for a circle",
}


def collisions(full: Mapping) -> Iterator[str]:
    """Words on every name of a complete configuration that cannot be told from another one."""
    tables = {
        "models": full["models"],
        "dynamics.systems": full["dynamics"]["systems"],
        "structures.pools": full["structures"]["pools"],
        "training.recipes": full["training"]["recipes"],
        "labels.studies": full["labels"]["studies"],
    }
    for place, table in tables.items():
        alike: dict[str, str] = {}
        for name in table:
            for pattern, why in (TAKEN.get(place, {}) | EVERYWHERE).items():
                if re.fullmatch(pattern, name, re.IGNORECASE):
                    yield f"{place}.{name}: this name cannot be used: {why}; choose another one"
            if (other := alike.setdefault(name.lower(), name)) != name:
                yield (
                    f"{place}: {other} and {name} differ in capital letters only, which some file systems do "
                    "not tell apart; rename one of them"
                )
