"""Checks of `molecules` and `structures.pools`; see `checks.py`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from . import pools, registry
from .schema import schema

SOURCES = ("contains", "files", "source", "pools")
DYNAMICS = ("sampler", "temperatures", "steps", "interval", "timestep", "relaxation_steps", "keep_relaxed")
MOLECULE_SOURCES = ("smiles", "ase", "file")


def _each_pool(full: Mapping) -> Iterator[tuple[str, Mapping]]:
    """The place and the settings of each pool that has one source."""
    for name, pool in full["structures"]["pools"].items():
        if sum(key in pool for key in SOURCES) == 1:
            yield f"structures.pools.{name}", pool


def _molecules_have_one_source(full: Mapping) -> Iterator[str]:
    yield from _without_one_source("molecules", full["molecules"], MOLECULE_SOURCES)


def _pools_have_one_source(full: Mapping) -> Iterator[str]:
    yield from _without_one_source("structures.pools", full["structures"]["pools"], SOURCES)


def _without_one_source(place: str, entries: Mapping, sources: Sequence[str]) -> Iterator[str]:
    for name, entry in entries.items():
        given = [key for key in sources if key in entry]
        if len(given) != 1:
            found = " and ".join(given) or "no source"
            yield f"{place}.{name}: {found} given; give one of {', '.join(sources)}"


def _pools_contain_known_molecules(full: Mapping) -> Iterator[str]:
    for place, pool in _each_pool(full):
        for name in pool.get("contains", {}):
            if name not in full["molecules"]:
                yield (
                    f"{place}.contains: {name} is not one of molecules: {', '.join(full['molecules'])}; "
                    f"describe it there, for example `molecules: {{{name}: {{smiles: ...}}}}`"
                )


def _sources_are_registered(full: Mapping) -> Iterator[str]:
    named = [(place, pool["source"]) for place, pool in _each_pool(full) if "source" in pool]
    known = registry.read(full["structures"]["sources"]) if named else {}
    for place, source in named:
        if source not in known:
            yield (
                f"{place}.source: {source} is not in {full['structures']['sources']}, which has "
                f"{', '.join(known)}; correct it, or describe it there"
            )


def _members_are_plain_pools(full: Mapping) -> Iterator[str]:
    table = full["structures"]["pools"]
    for place, pool in _each_pool(full):
        for member in pool.get("pools", []):
            if member not in table:
                yield f"{place}.pools: {member} is not one of the pools: {', '.join(table)}; correct it"
            elif "pools" in table[member]:
                yield f"{place}.pools: {member} consists of pools itself; list these instead"
            else:
                for key in ("committee", "relax", "select"):
                    if table[member].get(key) not in (None, False, "all"):
                        yield f"structures.pools.{member}.{key}: it is a part of {place}; set {key} there"


def _pools_are_members_once(full: Mapping) -> Iterator[str]:
    first: dict[str, str] = {}
    for place, pool in _each_pool(full):
        for member in pool.get("pools", []):
            if (other := first.setdefault(member, place)) != place:
                yield f"{place}.pools: {member} is a part of {other} too; its structures can be in one only"


def _samplers_are_complete(full: Mapping) -> Iterator[str]:
    for place, pool in _each_pool(full):
        sampler = pool["sampler"]
        if isinstance(sampler, str):
            continue
        if len([key for key in ("model", "ase") if key in sampler]) != 1:
            yield f"{place}.sampler: give one of model, ase"
        elif "arguments" in sampler and "ase" not in sampler:
            yield f"{place}.sampler.arguments: only a sampler `ase` has arguments; remove them"


def _files_have_no_settings_of_packings(full: Mapping) -> Iterator[str]:
    for place, pool in _each_pool(full):
        if "contains" not in pool and "density" in pool:
            yield f"{place}.density: only packings have one, structures of files keep their cells; remove it"
        if "contains" in pool and pool["extend"]:
            yield f"{place}.extend: packings are always extended; remove it"
        if "pools" in pool and pool["extend"]:
            yield f"{place}.extend: this pool consists of others; extend these"
        if "starts" in pool and not pools.is_sampled(pool):
            yield f"{place}.starts: only packings, and files with extend: true, have starts; remove it"


def _settings_of_dynamics_have_an_effect(full: Mapping) -> Iterator[str]:
    defaults = schema()["properties"]["structures"]["properties"]["pools"]["additionalProperties"][
        "properties"
    ]
    for place, pool in _each_pool(full):
        if pools.is_sampled(pool):
            continue
        for key in DYNAMICS:
            if pool[key] != defaults[key]["default"]:
                remedy = "set it for these pools" if "pools" in pool else "remove it, or set extend: true"
                yield f"{place}.{key}: the structures of this pool are not extended by dynamics; {remedy}"


def _temperatures_have_different_names(full: Mapping) -> Iterator[str]:
    for place, pool in _each_pool(full):
        names = [f"{temperature:g}K" for temperature in pool["temperatures"]]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            yield f"{place}.temperatures: {', '.join(repeated)} found twice; give each temperature once"


def _xtb_labels_isolated_structures(full: Mapping) -> Iterator[str]:
    for place, pool in _each_pool(full):
        if full["labels"]["engine"] == "xtb" and "density" in pool:
            yield f"{place}: periodic, which labels.engine = xtb cannot label; use cp2k or model"


def _selection_reads_other_runs(full: Mapping) -> Iterator[str]:
    """Structures cannot be chosen with models or labels that follow from them."""
    selection, results = full["structures"]["selection"], Path(full["results"]).resolve()
    descriptor = selection["descriptor"]
    used = {
        "descriptor": [] if isinstance(descriptor, str) else [descriptor["model"]],
        "start_from": selection["start_from"],
    }
    for key, paths in used.items():
        for path in paths:
            if full["structures"]["pools"] and Path(path).resolve().is_relative_to(results):
                yield (
                    f"structures.selection.{key}: {path} is in the results of this run, which may follow "
                    "from the selection; copy it to another folder, or give this run other `results`"
                )


def _models_come_from_other_runs(full: Mapping) -> Iterator[str]:
    """Models of the same run cannot sample, choose or label the structures that they are trained on."""
    if "computed" not in full["training"]["data"]:
        return
    used = {"labels.model.folders": full["labels"]["model"]["folders"]}
    for place, pool in _each_pool(full):
        sampler = {} if isinstance(pool["sampler"], str) else pool["sampler"]
        sampling = sampler.get("model", [])
        used[f"{place}.committee"] = pool.get("committee", [])
        used[f"{place}.sampler.model"] = [sampling] if isinstance(sampling, str) else sampling
    results = Path(full["results"]).resolve()
    for key, folders in used.items():
        for folder in folders:
            if Path(folder).resolve().is_relative_to(results):
                yield (
                    f"{key}: {folder} is in the results of this run, whose models are trained on "
                    "its structures (training.data: computed); copy the models to another folder, or "
                    "give this run other `results`"
                )


def _pools_are_large_enough(full: Mapping) -> Iterator[str]:
    if any([*_sources_are_registered(full), *_members_are_plain_pools(full)]):
        return  # they cannot be counted
    for place, pool in _each_pool(full):
        name = place.removeprefix("structures.pools.")
        most, wanted = pools.most_candidates(full, name), pool["select"]
        if most is None or (pool["extend"] and pools.frames_in_files(full, pool) is None):
            if "files" in pool and (wanted == "all" or pool["extend"]):
                yield (
                    f"{place}.files: {', '.join(pool['files'])}: a file does not exist, so its structures "
                    "cannot be counted; write it first"
                )
        elif most == 0:
            yield (
                f"{place}: no structures; "
                + ("raise steps or lower interval" if pools.is_sampled(pool) else "its files are empty")
            )
        elif wanted != "all" and wanted > most:
            yield (
                f"{place}.select: {wanted} found, but the pool has at most {most} structures; "
                + (
                    "raise starts or steps, lower interval, or select fewer"
                    if pools.is_sampled(pool)
                    else "select fewer, or add files"
                )
            )


CHECKS = (
    _molecules_have_one_source,
    _pools_have_one_source,
    _pools_contain_known_molecules,
    _sources_are_registered,
    _members_are_plain_pools,
    _pools_are_members_once,
    _samplers_are_complete,
    _files_have_no_settings_of_packings,
    _xtb_labels_isolated_structures,
    _settings_of_dynamics_have_an_effect,
    _temperatures_have_different_names,
    _selection_reads_other_runs,
    _models_come_from_other_runs,
    _pools_are_large_enough,
)
