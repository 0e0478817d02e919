# The configuration, checked and completed, and the names that rules and targets share.
import json
import shlex
import shutil
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

PACKAGES = Path(workflow.basedir) / "workflow"
sys.path.insert(0, str(PACKAGES))
# Rules call `python -m bornflow…` in whatever environment they run in, also one made by conda.
shell.prefix(f"export PYTHONPATH={shlex.quote(str(PACKAGES))}; ")

from bornflow import config as configuration
from bornflow.config import sections
from bornflow.errors import BornflowError
from bornflow.figures.captions import places, samples, titles

try:
    configuration.check_files(workflow.configfiles)
    SETTINGS = configuration.complete(config)
except BornflowError as error:
    raise WorkflowError(str(error)) from None

RESULTS = SETTINGS["results"]
POOLS = SETTINGS["structures"]["pools"]
MODELS = SETTINGS["models"]
SEEDS, RECIPES = (SETTINGS["training"][key] for key in ("seeds", "recipes"))
BACKBONES = sorted({variant["backbone"] for variant in MODELS.values()})
SYSTEMS = SETTINGS["dynamics"]["systems"]
SHIPPED = "resources/labels/water.extxyz"


wildcard_constraints:
    structure="|".join(POOLS) or "none",
    backbone="|".join(BACKBONES),
    model="|".join(MODELS),
    system="|".join(SYSTEMS) or "none",
    seed=r"\d+",
    replica=r"\d+",
    batch=r"\d+",
    size=r"\d+",
    study="|".join(SETTINGS["labels"]["studies"]) or "none",
    recipe="|".join(RECIPES) or "none",
    part=r"structures|labels|spectra|split|timing|gather|response|(pool|model|recipe|system|study)-.+",


def settings_of(wildcards):
    """The part of the configuration that one kind of job reads, so that no other change reruns it."""
    return json.dumps(sections.select(SETTINGS, wildcards.part), sort_keys=True)


def pool_count(wildcards):
    """Structures kept of one pool."""
    return POOLS[wildcards.structure]["select"]


def pool_files(wildcards):
    """The files that a pool's candidates are read from."""
    return POOLS[wildcards.structure].get("files", [])


def pretraining_of_recipe(wildcards):
    """The files that a model is trained on first by one of the recipes."""
    return sections.apply_recipe(SETTINGS["training"], wildcards.recipe)["pretraining"]


def has_cp2k():
    """Whether the launcher and the program of labels.cp2k.command are found here."""
    command = shlex.split(SETTINGS["labels"]["cp2k"]["command"])
    return bool(command) and all(shutil.which(word) for word in (command[0], command[-1]))


def study_data(wildcards):
    """The structures that a study of the labels' settings takes."""
    return SETTINGS["labels"]["studies"][wildcards.study]["data"]


def label_memory(wildcards, threads):
    """MB of a labelling job: each process of CP2K holds grids and matrices of its own."""
    return 2000 + 1500 * threads


def study_memory(wildcards, threads):
    """The same of a study, which has tighter settings."""
    return 3 * label_memory(wildcards, threads)


def start_structure(wildcards):
    """The file a system starts from."""
    return SYSTEMS[wildcards.system]["structure"]


def start_frame(wildcards):
    """The frame of that file."""
    return SYSTEMS[wildcards.system]["frame"]


def replicas(wildcards):
    """The runs that one spectrum is averaged over."""
    run = f"{RESULTS}/dynamics/{wildcards.system}/{wildcards.model}-{wildcards.seed}"
    return [f"{run}-{replica}.h5" for replica in range(SYSTEMS[wildcards.system]["replicas"])]
