"""Checks of combinations of keys: values that are allowed separately but not together.

`schema.py` checks every key separately. Each function here checks one rule for a complete configuration and
yields a message for every value that violates it: the key, the value found and the remedy.
"""

import shlex
from collections.abc import Iterator, Mapping
from itertools import chain

from ..errors import BornflowError
from ..units import WAVENUMBER, spectral_steps
from . import growth, pool_checks
from .schema import validate
from .sections import NOT_PER_MODEL, apply_recipe


def contradictions(full: Mapping) -> Iterator[str]:
    """All messages on a complete configuration, in the order of CHECKS."""
    return chain.from_iterable(check(full) for check in CHECKS)


def _learning_rate_falls(full: Mapping) -> Iterator[str]:
    yield from _rising_rate(full["training"], "training")


def _rising_rate(training: Mapping, place: str) -> Iterator[str]:
    if training["final_learning_rate"] > training["learning_rate"]:
        yield (
            f"{place}.final_learning_rate: {training['final_learning_rate']:g} is above "
            f"learning_rate = {training['learning_rate']:g}; lower it"
        )


def _recipes_are_valid(full: Mapping) -> Iterator[str]:
    """Recipes change only settings that a model's training reads, and `pretraining`."""
    training = full["training"]
    for name, change in training["recipes"].items():
        place = f"training.recipes.{name}"
        if shared := sorted((set(change) & set(NOT_PER_MODEL)) - {"pretraining"}):
            yield f"{place}: {', '.join(shared)} is the same for all recipes; remove it"
        try:
            validate({"training": change}, place)
        except BornflowError as error:
            yield str(error)
        else:
            yield from _rising_rate(apply_recipe(training, name), place)


def _global_charges_are_trained(full: Mapping) -> Iterator[str]:
    for name, model in full["models"].items():
        if model["neutral"] and model["charges"] == "global":
            yield (
                f"models.{name}.neutral: true, but with charges: global the loss does not depend on the "
                "charges that Born effective charges are computed from; use charges: local, or neutral: false"
            )


def _tensor_charges_are_of_lorem(full: Mapping) -> Iterator[str]:
    for name, model in full["models"].items():
        if model["charge_degree"] != "scalar" and model["backbone"] != "lorem":
            yield (
                f"models.{name}.charge_degree: {model['charge_degree']} found, but only backbone lorem has "
                "tensor charges; remove it"
            )


def _published_models_are_not_trained(full: Mapping) -> Iterator[str]:
    published = [name for name, model in full["models"].items() if "published" in model]
    curve = full["training"]["learning_curve"]
    trained = {
        "grow.model": [full["grow"]["model"]] if full["grow"]["rounds"] and "model" in full["grow"] else [],
        "training.learning_curve.models": (curve["models"] or list(full["models"])) if curve["sizes"] else [],
        "training.recipes": list(full["models"]) if full["training"]["recipes"] else [],
    }
    for key, names in trained.items():
        for name in published:
            if name in names:
                yield f"{key}: {name} is a published model, which is not trained; remove it here"
    if published and full["training"]["seeds"] != [0]:
        yield f"training.seeds: a published model ({published[0]}) has no seeds; set seeds: [0]"


def _learning_curve_has_models(full: Mapping) -> Iterator[str]:
    for name in full["training"]["learning_curve"]["models"]:
        if name not in full["models"]:
            yield f"training.learning_curve.models: {name} is not one of models: {', '.join(full['models'])}"


def _computed_labels_have_pools(full: Mapping) -> Iterator[str]:
    if "computed" in full["training"]["data"] and not full["structures"]["pools"]:
        yield "training.data: `computed` labels need structures; list pools under structures.pools"


def _engine_model_has_models(full: Mapping) -> Iterator[str]:
    labels = full["labels"]
    if labels["engine"] == "model" and not labels["model"]["folders"]:
        yield "labels.model.folders: no model given; list the folders whose mean prediction is the label"


def _command_can_be_split(full: Mapping) -> Iterator[str]:
    command = full["labels"]["cp2k"]["command"]
    try:
        words = shlex.split(command)
    except ValueError:
        yield f"labels.cp2k.command: {command!r} found, where a quote is not closed; close it"
    else:
        if not words:
            yield f"labels.cp2k.command: {command!r} found; give the command that launches CP2K"


def _studies_change_known_settings(full: Mapping) -> Iterator[str]:
    known = full["labels"]["cp2k"]
    for name, study in full["labels"]["studies"].items():
        if unknown := sorted(set(study["columns"]) - set(known)):
            yield (
                f"labels.studies.{name}.columns: {', '.join(unknown)} found, which labels.cp2k lacks; "
                f"its settings are {', '.join(known)}"
            )
        for case in study["cases"]:
            for change in (case["reference"], *case["variants"]):
                try:
                    validate({"labels": {"cp2k": change}})
                except BornflowError as error:
                    yield f"labels.studies.{name}: {error}"


def _frames_have_velocities(full: Mapping) -> Iterator[str]:
    interval, between = (full["dynamics"][f"{key}_interval"] for key in ("frame", "velocity"))
    if interval % between:
        yield (
            f"dynamics.frame_interval: {interval} is not a multiple of dynamics.velocity_interval = "
            f"{between}; frames need the velocities of their step"
        )


def _bands_are_ranges(full: Mapping) -> Iterator[str]:
    for name, system in full["dynamics"]["systems"].items():
        for band, (low, high) in system["bands"].items():
            if low >= high:
                yield (
                    f"dynamics.systems.{name}.bands.{band}: {low:g} to {high:g} found; give the lowest and "
                    "the highest wavenumber of the band [cm⁻¹]"
                )


def _spectra_have_frequencies(full: Mapping) -> Iterator[str]:
    spectra = full["spectra"]
    if spectra["resolution"] > spectra["highest"]:
        yield (
            f"spectra.resolution: {spectra['resolution']:g} cm⁻¹ is above spectra.highest = "
            f"{spectra['highest']:g} cm⁻¹, so no frequency is left; lower it"
        )


def _velocities_reach_the_highest_frequency(full: Mapping) -> Iterator[str]:
    """Nyquist limit of the recorded velocities, 1 / (2 Δt)."""
    dynamics, highest = full["dynamics"], full["spectra"]["highest"]
    between, timestep = dynamics["velocity_interval"], dynamics["timestep"]
    limit = WAVENUMBER / (2 * between * timestep)
    if dynamics["systems"] and limit < highest:
        yield (
            f"dynamics.velocity_interval: velocities every {between} steps of {timestep:g} fs resolve up to "
            f"{limit:.0f} cm⁻¹, but spectra.highest is {highest:g} cm⁻¹; lower one of them"
        )


def _runs_resolve_the_spectrum(full: Mapping) -> Iterator[str]:
    """Runs are at least as long as one segment of their currents and one of their velocities."""
    dynamics, resolution = full["dynamics"], full["spectra"]["resolution"]
    between, timestep = dynamics["velocity_interval"], dynamics["timestep"]
    try:
        currents, velocities = (spectral_steps(resolution, step * timestep) for step in (1, between))
    except BornflowError as error:
        yield str(error)
        return
    needed = max(currents, between * velocities)
    for name, system in dynamics["systems"].items():
        if system["steps"] < needed:
            yield (
                f"dynamics.systems.{name}.steps: {system['steps']} steps cannot resolve {resolution:g} cm⁻¹ "
                f"(spectra.resolution), which needs {needed}; raise steps or spectra.resolution"
            )


CHECKS = (
    _learning_rate_falls,
    _recipes_are_valid,
    _global_charges_are_trained,
    _tensor_charges_are_of_lorem,
    _published_models_are_not_trained,
    _learning_curve_has_models,
    _computed_labels_have_pools,
    _engine_model_has_models,
    _command_can_be_split,
    _studies_change_known_settings,
    *pool_checks.CHECKS,
    growth.contradictions,
    _frames_have_velocities,
    _bands_are_ranges,
    _spectra_have_frequencies,
    _velocities_reach_the_highest_frequency,
    _runs_resolve_the_spectrum,
)
