# structures → labels → training → dynamics → spectra → figures: one rule file per stage.
# `snakemake --cores N` makes the figures; `snakemake STAGE` stops after a stage.
import time

from snakemake.utils import min_version

STARTED = time.time()

min_version("9.0")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/structures.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/grow.smk"
include: "workflow/rules/dynamics.smk"
include: "workflow/rules/spectra.smk"
include: "workflow/rules/figures.smk"


rule all:
    default_target: True
    input:
        FIGURES,
        ERRORS,
        COMPARISON,
        DEVIATIONS,
        LABEL_CHECK,
        SAMPLED,
        SELECTION_FIGURES if SAMPLED else [],


rule structures:
    input:
        SELECTED,
        SAMPLED,


# Relaxed structures of the pools with `relax: true`: --configfile config/provenance/hexamers.yaml
rule relaxed:
    input:
        expand(f"{RESULTS}/labels/relaxed/{{structure}}.extxyz", structure=RELAXED),


rule labels:
    input:
        LABELLED if POOLS else SHIPPED,


# Convergence of labels with their settings: --configfile config/studies/label-settings.yaml
rule label_studies:
    input:
        STUDY_TABLES,
        STUDY_FIGURES,


# Born effective charges against the magnitude of the field: --configfile config/studies/label-settings.yaml
rule field_scan:
    input:
        expand(f"{RESULTS}/figures/field_strength.{{suffix}}", suffix=["pdf", "png"]),


rule training:
    input:
        ERRORS,
        COMPARISON,


# Models without dynamics: --configfile config/studies/six-models.yaml or config/studies/ablations.yaml
rule study:
    input:
        ERRORS,
        COMPARISON,
        MODEL_FIGURES,


# Published models of the paper beside ours: --configfile config/studies/published.yaml; spectra of published models
# over the published spectra: --configfile config/studies/published-spectra.yaml
rule published:
    input:
        rules.study.input,
        rules.published_forces.output if PUBLISHED_PHYSICAL else [],
        PUBLISHED_BANDS,
        PUBLISHED_FIGURES,


# Models trained with other settings: --configfile config/studies/recipes.yaml
rule recipes:
    input:
        rules.recipes_table.output,


# Errors against the number of training structures and training time:
# --configfile config/studies/learning-curve.yaml
rule learning_curve:
    input:
        rules.learning_table.output,
        rules.learning_figure.output,


# Rounds of sampling by models, labelling and training: config/examples/grow.yaml
rule grow:
    input:
        GROWN,


rule dynamics:
    input:
        RUNS,


# Energy conservation without a thermostat: --configfile config/studies/conservation.yaml
rule conservation:
    input:
        rules.conservation_table.output,
        rules.conservation_figure.output if FREE else [],


# The dipole in an electric field, compared with the fluctuations without a field
rule field_response:
    input:
        RESPONSES,
        rules.response_figure.output if WATER else [],


rule spectra:
    input:
        SPECTRA,
        DEVIATIONS,


rule figures:
    input:
        FIGURES,


# What is shown during and after a run.
from bornflow import queue_watch
from bornflow.figures.captions import list_outputs
from bornflow.job_logs import find_warnings


onstart:
    if workflow.resource_settings.cores is None:  # jobs go to a cluster
        queue_watch.watch(logger.warning)


onsuccess:
    print(find_warnings(f"{RESULTS}/logs", STARTED) + list_outputs(RESULTS))


onerror:
    print(find_warnings(f"{RESULTS}/logs", STARTED), end="")
