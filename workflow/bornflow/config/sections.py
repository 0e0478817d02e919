"""Sections of a complete configuration: the settings that each kind of job reads.

A change of other settings then does not rerun the job. The rule `settings` writes each section to a file, an
input of the jobs that read the section.
"""

from collections.abc import Mapping

from . import growth, pools

# Keys of `training` that do not change the result of training one model with one seed.
NOT_PER_MODEL = (
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
# Keys of `training` that the split into training and validation set reads.
SPLIT = (
    *("keys", "bec_order", "implausible_labels", "several_methods"),
    *("train_fraction", "split_seed", "split_by"),
)


def select(settings: Mapping, section: str) -> dict:
    """The settings that one kind of job reads, in the same nesting as the complete configuration.

    `section` is `structures`, `labels`, `join_batches`, `spectra`, `split`, `response`, `timing`, or one of
    `pool-NAME`, `round-NUMBER`, `round-NUMBER.POOL`, `study-NAME`, `model-NAME`, `recipe-NAME.MODEL`,
    `system-NAME`.
    """
    structures, labels, training, models, dynamics = (
        settings[stage] for stage in ("structures", "labels", "training", "models", "dynamics")
    )
    match section.split("-", maxsplit=1):
        case ["structures"]:
            return {"structures": {"selection": structures["selection"]}}
        case ["pool", name]:
            return pools.section(settings, name)
        case ["round", name]:
            return growth.section(settings, name)
        case ["labels"]:
            return {"labels": _without(labels, "threads", "max_rejected", "studies", "linear_response")}
        case ["join_batches"]:
            return {"labels": {"max_rejected": labels["max_rejected"]}}
        case ["study", name]:
            kept = _without(labels, "threads", "max_rejected", "linear_response")
            return {"labels": kept | {"studies": {name: labels["studies"][name]}}}
        case ["split"]:
            return {"training": {key: training[key] for key in SPLIT}}
        case ["model", name]:
            return {"training": _without(training, *NOT_PER_MODEL), "models": {name: models[name]}}
        case ["recipe", names]:
            recipe, model = names.split(".")
            changed = _without(apply_recipe(training, recipe), *NOT_PER_MODEL)
            return {"training": changed, "models": {model: models[model]}}
        case ["spectra"]:
            return {"spectra": _without(settings["spectra"], "published")}
        case ["response"]:
            return {"dynamics": {key: dynamics[key] for key in ("dtype", "response")}}
        case ["timing"]:
            return {"models": models}
        case ["system", name]:
            system = _without(dynamics["systems"][name], "replicas", "title", "experiment", "bands")
            return {"dynamics": _without(dynamics, "timing", "response") | {"systems": {name: system}}}
    return {section: settings[section]}


def apply_recipe(training: Mapping, name: str) -> dict:
    """The section `training` with the changes of one of its `recipes`."""
    change = training["recipes"][name]
    nested = {key: training[key] | change.get(key, {}) for key in ("loss", "weight_decay")}
    return {**training, **change, **nested}


def _without(table: Mapping, *keys: str) -> dict:
    return {key: value for key, value in table.items() if key not in keys}
