# structures → labels → training → dynamics → spectra → figures; one rule file a stage.
# `snakemake --cores N` makes the figures; `snakemake STAGE` stops at a stage.
from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/settings.smk"
include: "workflow/rules/structures.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/dynamics.smk"
include: "workflow/rules/spectra.smk"
include: "workflow/rules/backbones.smk"
include: "workflow/rules/figures.smk"


rule all:
    default_target: True
    input:
        FIGURES,
        ERRORS,
        COMPARISON,
        DEVIATIONS,
        LABEL_CHECK,


rule structures:
    input:
        SELECTED,


# Structures of the pools that `relax` asks for.
rule relaxed:
    input:
        expand(f"{RESULTS}/labels/relaxed/{{structure}}.extxyz", structure=RELAXED),


rule labels:
    input:
        LABELLED if POOLS else SHIPPED,


# How the labels' settings are converged and checked: --configfile config/studies/label-settings.yaml
rule label_studies:
    input:
        STUDY_TABLES,
        STUDY_FIGURES,


rule field_scan:
    input:
        expand(f"{RESULTS}/figures/field_strength.{{suffix}}", suffix=["pdf", "png"]),


rule training:
    input:
        ERRORS,
        COMPARISON,


# What models can do, with several seeds and without dynamics: --configfile config/studies/six-models.yaml or config/studies/ablations.yaml
rule study:
    input:
        ERRORS,
        COMPARISON,
        MODEL_FIGURES,


# Recipes of training beside each other: --configfile config/studies/recipes.yaml
rule recipes:
    input:
        rules.recipes_table.output,


# Errors over the number of structures trained on, and over time: --configfile config/studies/learning-curve.yaml
rule learning_curve:
    input:
        rules.learning_table.output,
        rules.learning_figure.output,


rule dynamics:
    input:
        RUNS,


# How well runs without a thermostat conserve energy: --configfile config/studies/conservation.yaml
rule conservation:
    input:
        rules.conservation_table.output,
        rules.conservation_figure.output if FREE else [],


# The dipole in a field beside what fluctuations without one say
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


onsuccess:
    print(places(RESULTS))
