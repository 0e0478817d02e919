"""Names that would collide, in a path, with names of the workflow or with each other.

The schema allows only letters, digits, - and _, so that a name is always one part of a path. Two conflicts
remain: with names of files that the rules write, and with names that differ only in upper and lower case, on
file systems that do not distinguish these.
"""

import re
from collections.abc import Iterator, Mapping

# Reserved names and the reason, by table.
RESERVED = {
    "models": {
        r"deviations": "tables of deviations from measured water have this name",
        r"(velocities|response)-.*": "tables of velocities and of responses have names that begin like this",
        r"lorem-jax|charge-nep|nep|mace": "a model of another package that is timed has this name",
    },
    "labels.studies": {r"linear_response": "the table of labels.linear_response has this name"},
}
RESERVED_EVERYWHERE = {
    r"none": "the workflow uses it where a table is empty",
    r".*?(.{1,2})\1{19}": "Snakemake mistakes this many repetitions for a circular dependency",
}


def collisions(full: Mapping) -> Iterator[str]:
    """A message for every name of a complete configuration that is reserved or differs only in case."""
    tables = {
        "models": full["models"],
        "dynamics.systems": full["dynamics"]["systems"],
        "structures.pools": full["structures"]["pools"],
        "molecules": full["molecules"],
        "training.recipes": full["training"]["recipes"],
        "labels.studies": full["labels"]["studies"],
    }
    for place, table in tables.items():
        by_lower_case: dict[str, str] = {}
        for name in table:
            for pattern, reason in (RESERVED.get(place, {}) | RESERVED_EVERYWHERE).items():
                if re.fullmatch(pattern, name, re.IGNORECASE):
                    yield f"{place}.{name}: this name cannot be used: {reason}; choose another one"
            if (other := by_lower_case.setdefault(name.lower(), name)) != name:
                yield (
                    f"{place}: {other} and {name} differ in capital letters only, which some file systems do "
                    "not distinguish; rename one of them"
                )
