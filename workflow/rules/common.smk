# The checked configuration, the names that several rule files share, and all helper functions.
import json
import shlex
import shutil
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

PACKAGES = Path(workflow.basedir) / "workflow"
sys.path.insert(0, str(PACKAGES))
# Rules call `python -m bornflow…` in the environment that they run in, which conda may have made.
shell.prefix(f"export PYTHONPATH={shlex.quote(str(PACKAGES))}${{{{PYTHONPATH:+:$PYTHONPATH}}}}; ")

from bornflow import config as configuration
from bornflow.config import growth, pools, registry, sections
from bornflow.errors import BornflowError
from bornflow.figures.captions import run_labels, system_labels

try:
    configuration.check_files(workflow.configfiles)
    SETTINGS = configuration.complete(config)
except BornflowError as error:
    raise WorkflowError(str(error)) from None

RESULTS = SETTINGS["results"]
POOLS = SETTINGS["structures"]["pools"]
POOL_FILES = pools.files(SETTINGS)
CHOSEN = pools.labelled(SETTINGS)  # pools that are not part of another one
ROUNDS = growth.files(SETTINGS)
STUDIES = SETTINGS["labels"]["studies"]
MODELS = SETTINGS["models"]
PUBLISHED = {
    name: [f"{variant['published']}/{file}" for file in ("model.yaml", "model.msgpack", "baseline.yaml")]
    for name, variant in MODELS.items()
    if "published" in variant
}
SEEDS, RECIPES = (SETTINGS["training"][key] for key in ("seeds", "recipes"))
BACKBONES = sorted({variant["backbone"] for variant in MODELS.values()})
LOCAL = [name for name, variant in MODELS.items() if variant["charges"] == "local"]
COUPLED = [variant["backbone"] for variant in MODELS.values() if variant["charges"] != "uncoupled"]
SYSTEMS = SETTINGS["dynamics"]["systems"]
ALL_CORES = workflow.resource_settings.cores or 2  # of a timing, which runs alone; two on a cluster


# An empty table of the configuration has no names; `none` is not allowed as a name.
wildcard_constraints:
    structure="|".join(POOLS) or "none",
    round=r"\d+",
    source=r"[\w-]+",
    backbone="|".join(BACKBONES),
    model="|".join(MODELS),
    system="|".join(SYSTEMS) or "none",
    seed=r"\d+",
    replica=r"\d+",
    start=r"\d+",
    batch=r"\d+",
    size=r"\d+",
    study="|".join(STUDIES) or "none",
    recipe="|".join(RECIPES) or "none",
    section=r"structures|labels|spectra|split|timing|join_batches|response|(pool|round|model|recipe|system|study)-.+",


def section_of(wildcards):
    """The settings that one kind of job reads, as JSON."""
    return json.dumps(sections.select(SETTINGS, wildcards.section), sort_keys=True)


def source_state(wildcards):
    """What a source is made from: its row, and the files that a person has placed."""
    structures = SETTINGS["structures"]
    return registry.state(structures["sources"], wildcards.source, structures["downloads"])


def has_cp2k():
    """Whether the launcher and the program of labels.cp2k.command are installed."""
    command = shlex.split(SETTINGS["labels"]["cp2k"]["command"])
    return bool(command) and all(shutil.which(word) for word in (command[0], command[-1]))


def label_memory(wildcards, threads):
    """MB of a labelling job: each MPI process of CP2K has its own grids and matrices."""
    return 2000 + 1500 * threads


def study_memory(wildcards, threads):
    """MB of a study, whose settings are tighter than those of the labels."""
    return 3 * label_memory(wildcards, threads)


def pretraining_of_recipe(wildcards):
    """Labelled files that one of the recipes trains on first."""
    return sections.apply_recipe(SETTINGS["training"], wildcards.recipe)["pretraining"]


def replicas(wildcards):
    """The runs that one spectrum is averaged over."""
    run = f"{RESULTS}/dynamics/{wildcards.system}/{wildcards.model}-{wildcards.seed}"
    return [f"{run}-{replica}.h5" for replica in range(SYSTEMS[wildcards.system]["replicas"])]


def backbone_models(wildcards):
    """The models of one backbone."""
    return [name for name, variant in MODELS.items() if variant["backbone"] == wildcards.backbone]


def coupled_models(wildcards):
    """The models of one backbone whose Born effective charges follow from their charges."""
    return [name for name in backbone_models(wildcards) if MODELS[name]["charges"] != "uncoupled"]


def first_model(wildcards):
    """The model of a backbone whose velocities are drawn."""
    return backbone_models(wildcards)[0]


def each_seed(models):
    """Each of the models (a list, or a function of the wildcards) once for each seed, as `expand` orders files."""

    def names(wildcards):
        return [model for model in (models(wildcards) if callable(models) else models) for _ in SEEDS]

    return names


def figure_files(name, title=None, category=None):
    """PDF and PNG of a figure. With a title, the PNG and the caption of the same name enter the report."""
    path = f"{RESULTS}/figures/{name}"
    figure, _, model = name.partition("-")
    png = f"{path}.png"
    if title:
        labels = {"figure": title, "model": model or "all"}
        png = report(png, caption=f"../report/{figure}.rst", category=category, labels=labels)
    return {"pdf": f"{path}.pdf", "png": png}


def draw(module, **values):
    """The module that draws a figure and its options: its named inputs without the style, and `values`.

    A value may be a function of the wildcards.
    """

    def words(wildcards, input):
        options = {name: files for name, files in input.items() if name != "style"}
        options |= {name: value(wildcards) if callable(value) else value for name, value in values.items()}
        lists = {name: value if isinstance(value, list) else [value] for name, value in options.items()}
        return [module, *(str(word) for name, value in lists.items() for word in (f"--{name}", *value))]

    return words
