"""Values of a configuration that are allowed each by itself but not together."""

import shlex
from collections.abc import Iterator, Mapping

from ..errors import BornflowError
from ..units import WAVENUMBER, spectral_steps
from .schema import filled
from .sections import NOT_OF_A_MODEL, recipe


def contradictions(full: Mapping) -> Iterator[str]:
    """Words on values that are allowed each by itself but not together."""
    training, pools = full["training"], full["structures"]["pools"]
    yield from _rising(training, "training")
    for name, change in training["recipes"].items():
        if shared := sorted((set(change) & set(NOT_OF_A_MODEL)) - {"pretraining"}):
            yield f"training.recipes.{name}: {', '.join(shared)} is the same for all recipes; take it out"
        try:
            filled({"training": change}, f"training.recipes.{name}")
        except BornflowError as error:
            yield str(error)
        else:
            yield from _rising(recipe(training, name), f"training.recipes.{name}")
    for name, model in full["models"].items():
        if model["neutral"] and model["charges"] == "global":
            yield (
                f"models.{name}.neutral: true, but with charges: global nothing would train the charges that "
                "Born effective charges come from; use charges: local, or neutral: false"
            )
    for name in training["learning_curve"]["models"]:
        if name not in full["models"]:
            yield f"training.learning_curve.models: {name} is not among models: {', '.join(full['models'])}"
    if "computed" in training["data"] and not pools:
        yield "training.data: `computed` labels need structures; list pools under structures.pools"
    yield from _command(full["labels"]["cp2k"]["command"])
    for name, study in full["labels"]["studies"].items():
        if unknown := sorted(set(study["columns"]) - set(full["labels"]["cp2k"])):
            yield (
                f"labels.studies.{name}.columns: {', '.join(unknown)} found, no settings of labels.cp2k, "
                f"which holds {', '.join(full['labels']['cp2k'])}"
            )
        for change in (
            change for case in study["cases"] for change in (case["reference"], *case["variants"])
        ):
            try:
                filled({"labels": {"cp2k": change}})
            except BornflowError as error:
                yield f"labels.studies.{name}: {error}"
    for name, pool in pools.items():
        sources = [key for key in ("molecules", "files") if key in pool]
        if len(sources) != 1:
            yield (
                f"structures.pools.{name}: {' and '.join(sources) or 'no source'} given; give one of "
                "molecules, files"
            )
            continue
        if full["labels"]["engine"] == "xtb" and "density" in pool:
            yield f"structures.pools.{name}: periodic, which labels.engine = xtb cannot label; use cp2k"
        runs = len(pool["temperatures"]) * (pool["steps"] // pool["interval"])
        most = pool["starts"] * (runs + pool["keep_relaxed"])
        if pool["select"] > most and "files" not in pool:
            yield (
                f"structures.pools.{name}.select: {pool['select']} asked for, the pool holds {most} at most; "
                "raise starts or steps, or lower interval, or select fewer"
            )
    interval, between = full["dynamics"]["frame_interval"], full["dynamics"]["velocity_interval"]
    if interval % between:
        yield (
            f"dynamics.frame_interval: {interval} is no multiple of dynamics.velocity_interval = {between}; "
            "frames need the velocities of their step"
        )
    spectra, timestep = full["spectra"], full["dynamics"]["timestep"]
    if spectra["resolution"] > spectra["highest"]:
        yield (
            f"spectra.resolution: {spectra['resolution']:g} cm⁻¹ is above spectra.highest = "
            f"{spectra['highest']:g}, so that no frequency is left; lower it"
        )
    limit = WAVENUMBER / (2 * between * timestep)
    if full["dynamics"]["systems"] and limit < spectra["highest"]:
        yield (
            f"dynamics.velocity_interval: velocities every {between} steps of {timestep:g} fs reach up to "
            f"{limit:.0f} cm⁻¹; spectra.highest is {spectra['highest']:g}"
        )
    try:
        steps = [spectral_steps(spectra["resolution"], each * timestep) for each in (1, between)]
    except BornflowError as error:
        yield str(error)
        return
    needed = max(steps[0], between * steps[1])
    for name, system in full["dynamics"]["systems"].items():
        if system["steps"] < needed:
            yield (
                f"dynamics.systems.{name}.steps: {system['steps']} cannot resolve "
                f"{spectra['resolution']:g} cm⁻¹ (spectra.resolution), which takes {needed}"
            )


def _command(command: str):
    try:
        words = shlex.split(command)
    except ValueError:
        yield f"labels.cp2k.command: {command!r} found, in which a quote is not closed; close it"
    else:
        if not words:
            yield f"labels.cp2k.command: {command!r} found; give the command that launches CP2K"


def _rising(training: Mapping, place: str):
    if training["final_learning_rate"] > training["learning_rate"]:
        yield (
            f"{place}.final_learning_rate: {training['final_learning_rate']:g} is above "
            f"learning_rate = {training['learning_rate']:g}; lower it"
        )
