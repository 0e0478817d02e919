"""The parts of a complete configuration that kinds of jobs read, so that no other change reruns them."""

from collections.abc import Mapping

# Settings of training that do not change what one model of one seed becomes.
NOT_OF_A_MODEL = (
    "data",
    "pretraining",
    "seeds",
    "threads",
    "learning_curve",
    "recipes",
    "train_fraction",
    "split_seed",
    "split_by",
    "validation",
)
# Settings of training that the split reads.
OF_THE_SPLIT = (
    *("keys", "bec_order", "implausible_labels", "several_methods"),
    *("train_fraction", "split_seed", "split_by"),
)


def of(settings: Mapping, part: str) -> dict:
    """The part called `structures`, `labels`, `gather`, `spectra`, `split`, `response`, `timing`, or
    `pool-NAME`, `study-NAME`, `model-NAME`, `recipe-NAME.MODEL`, `system-NAME`."""
    kind, _, name = part.partition("-")
    structures, labels, training, models, dynamics = (
        settings[stage] for stage in ("structures", "labels", "training", "models", "dynamics")
    )
    if kind == "structures":
        return {kind: _without(structures, "pools", "seed")}
    if kind == "pool":
        pool = structures["pools"][name] | {"select": 1}
        return {"structures": {"seed": structures["seed"], "pools": {name: pool}}}
    if kind == "labels":
        return {kind: _without(labels, "threads", "max_rejected", "studies", "linear_response")}
    if kind == "gather":
        return {"labels": {"max_rejected": labels["max_rejected"]}}
    if kind == "study":
        kept = _without(labels, "threads", "max_rejected", "linear_response")
        return {"labels": kept | {"studies": {name: labels["studies"][name]}}}
    if kind == "split":
        return {"training": {key: training[key] for key in OF_THE_SPLIT}}
    if kind == "model":
        return {"training": _without(training, *NOT_OF_A_MODEL), "models": {name: models[name]}}
    if kind == "recipe":
        name, model = name.split(".")
        return {
            "training": _without(recipe(training, name), *NOT_OF_A_MODEL),
            "models": {model: models[model]},
        }
    if kind == "response":
        return {"dynamics": {key: dynamics[key] for key in ("dtype", "response")}}
    if kind == "timing":
        return {"models": models}
    if kind == "system":
        system = _without(dynamics["systems"][name], "replicas", "title", "experiment")
        return {"dynamics": _without(dynamics, "timing", "response") | {"systems": {name: system}}}
    return {kind: settings[kind]}


def recipe(training: Mapping, name: str) -> dict:
    """The section `training` as one of its `recipes` changes it."""
    change = training["recipes"][name]
    nested = {key: training[key] | change.get(key, {}) for key in ("loss", "weight_decay")}
    return {**training, **change, **nested}


def _without(table: Mapping, *keys: str) -> dict:
    return {key: value for key, value in table.items() if key not in keys}
