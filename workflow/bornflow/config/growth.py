"""Rounds of `snakemake grow`: each samples with the models of the last one, labels, and trains.

Round 0 is the ordinary run: `training.data` and the models trained on it. Every further round samples the
pools `grow.pools` with the models of the round before, and trains on the training set of the round before
and the new labels.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from . import pools


def folder(full: Mapping, number: int) -> str:
    """The folder of a round after the first."""
    return f"{full['results']}/grow/{number}"


def model_folders(full: Mapping, number: int) -> list[str]:
    """The folders of the models that a round has trained, one for each seed."""
    parent = f"{folder(full, number)}/models" if number else f"{full['results']}/models"
    return [f"{parent}/{full['grow']['model']}/{seed}" for seed in full["training"]["seeds"]]


def training_set(full: Mapping, number: int) -> str:
    """The file of the structures that a round has trained on."""
    return f"{folder(full, number) if number else full['results'] + '/training'}/train.extxyz"


def pool_of_round(full: Mapping, number: int, name: str) -> dict[str, Any]:
    """The settings of a pool in a round: those of `structures.pools` with the models of the round before."""
    models = model_folders(full, number - 1)
    return {**full["structures"]["pools"][name], "sampler": {"model": models}, "committee": models}


def name_in_round(name: str, number: int) -> str:
    """The name of a pool in a round, so that structures of different rounds have different names."""
    return f"{name}-round-{number}"


def files(full: Mapping) -> dict[str, dict[str, Any]]:
    """By round (`1`, `2`, …): `known`, the training set of the round before, and `left_out` of all pools.

    `labels` are the files that its training set is made of, and `models` the folders of the models that
    sample. `pools` has what `pools.files` lists.
    """
    listed = {}
    for number in range(1, full["grow"]["rounds"] + 1):
        table = {name: pool_of_round(full, number, name) for name in full["grow"]["pools"]}
        of_round = {**full, "structures": {**full["structures"], "pools": table}}
        found = pools.files(of_round, folder(full, number))
        listed[str(number)] = {
            "known": training_set(full, number - 1),
            "labels": [training_set(full, number - 1), f"{folder(full, number)}/labels.extxyz"],
            "models": model_folders(full, number - 1),
            "left_out": [path for entry in found.values() for path in entry["left_out"]],
            "pools": found,
        }
    return listed


def section(full: Mapping, name: str) -> dict:
    """The settings that jobs of a round read: of the selection (`1`) or of a start of a pool (`1.NAME`)."""
    number, _, pool_name = name.partition(".")
    structures = full["structures"]
    if not pool_name:
        known = {"start_from": [training_set(full, int(number) - 1)]}
        return {"structures": {"selection": {**structures["selection"], **known}}}
    pool = pool_of_round(full, int(number), pool_name)
    renamed = name_in_round(pool_name, int(number))
    seed = (structures["seed"] + int(number)) % 2**32
    changed = {**structures, "seed": seed, "pools": {renamed: pool}}
    return pools.section({**full, "structures": changed}, renamed)


def contradictions(full: Mapping) -> Iterator[str]:
    """Messages about a section `grow` that does not fit the rest; see `checks`."""
    grow, table = full["grow"], full["structures"]["pools"]
    if not grow["rounds"]:
        return
    if grow.get("model") not in full["models"]:
        given = f"{grow['model']} is not one of models" if "model" in grow else "not given"
        yield f"grow.model: {given}; give one of {', '.join(full['models'])}"
    if len(full["training"]["seeds"]) < 2:
        yield "training.seeds: one seed found, but grow compares models of several seeds; give two or more"
    if not grow["pools"]:
        yield f"grow.pools: none given; give some of structures.pools: {', '.join(table) or 'none'}"
    for name in grow["pools"]:
        if name not in table:
            yield f"grow.pools: {name} is not one of structures.pools: {', '.join(table) or 'none'}"
        elif "pools" in table[name]:
            yield f"grow.pools: {name} consists of other pools; list these"
        elif not pools.is_sampled(table[name]):
            yield f"grow.pools: {name} has no dynamics, so rounds find nothing new; set extend: true"
        elif table[name]["relax"]:
            yield f"grow.pools: {name} has relax: true, which rounds do not do; remove it there"
        for number in range(1, grow["rounds"] + 1):
            if name_in_round(name, number) in table:
                yield (
                    f"structures.pools.{name_in_round(name, number)}: structures of round {number} of {name} "
                    "have this name (grow.pools); rename the pool"
                )
