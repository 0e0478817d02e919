# Figures, each as PDF and PNG. The style is an input: a new style only redraws the figures.
from operator import attrgetter

STYLE = "workflow/bornflow/figures/bornflow.mplstyle"
MODEL_PLOTS = ["labelled_set", "model_errors"]
MODEL_PLOTS += expand("bec_parity-{backbone}", backbone=BACKBONES) + expand("screening-{model}", model=LOCAL)
MODEL_PLOTS += expand("committee-{model}", model=MODELS) if len(SEEDS) > 1 else []
SPECTRUM_PLOTS = expand("{figure}-{backbone}", figure=["spectrum", "spectrum_linear"], backbone=BACKBONES)
SPECTRUM_PLOTS += expand("current_terms-{backbone}", backbone=set(COUPLED))
PUBLISHED_PLOTS = expand("published_spectra-{backbone}", backbone=BACKBONES if PUBLISHED_SPECTRA else [])
PUBLISHED_FIGURES = [file for name in PUBLISHED_PLOTS for file in figure_files(name).values()]
# Where all structures of a pool are selected, there is no choice to draw.
SELECTION_PLOTS = [f"selection-{name}" for name in CHOSEN if POOLS[name]["select"] != "all"]
STUDY_PLOTS = ["convergence", "field_strength", "field_operator"]
MODEL_FIGURES = [file for name in MODEL_PLOTS for file in figure_files(name).values()]
FIGURES = MODEL_FIGURES + [file for name in SPECTRUM_PLOTS if SYSTEMS for file in figure_files(name).values()]
SELECTION_FIGURES = [file for name in SELECTION_PLOTS for file in figure_files(name).values()]
STUDY_FIGURES = [file for name in STUDY_PLOTS if name in STUDIES for file in figure_files(name).values()]


# The base of all other figures, which replace its files and the options of its command.
rule labelled_set:
    input:
        labels=expand(f"{RESULTS}/training/{{subset}}.extxyz", subset=["train", "valid"]),
        style=STYLE,
    output:
        **figure_files("labelled_set", "Composition of the labelled set", "Models"),
    log:
        f"{RESULTS}/logs/figures/labelled_set.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        command=draw("labelled_set"),
    shell:
        "python -m bornflow.figures.{params.command:q} --style {input.style:q}"
        " --out {output.pdf:q} {output.png:q} &> {log:q}"


use rule labelled_set as selection with:
    input:
        map=f"{RESULTS}/structures/selected/{{structure}}-map.csv",
        coverage=f"{RESULTS}/structures/selected/{{structure}}-coverage.csv",
        style=STYLE,
    output:
        **figure_files("selection-{structure}", "Selected structures", "Structures"),
    log:
        f"{RESULTS}/logs/figures/selection-{{structure}}.log",
    params:
        command=draw("selection", title=attrgetter("structure")),


use rule labelled_set as bec_parity with:
    input:
        labels=f"{RESULTS}/training/valid.extxyz",
        predictions=expand(PREDICTIONS, model=backbone_models, seed=SEEDS),
        style=STYLE,
    output:
        **figure_files("bec_parity-{backbone}", "Born effective charges", "Models"),
    log:
        f"{RESULTS}/logs/figures/bec_parity-{{backbone}}.log",
    params:
        command=draw("bec_parity", models=each_seed(backbone_models)),


use rule labelled_set as model_errors with:
    input:
        errors=ERRORS,
        style=STYLE,
    output:
        **figure_files("model_errors", "Model errors", "Models"),
    log:
        f"{RESULTS}/logs/figures/model_errors.log",
    params:
        command=draw("model_errors"),


use rule labelled_set as screening with:
    input:
        predictions=[f"{RESULTS}/training/predictions/{{model}}-{seed}.extxyz" for seed in SEEDS],
        style=STYLE,
    output:
        **figure_files("screening-{model}", "Local screening", "Models"),
    log:
        f"{RESULTS}/logs/figures/screening-{{model}}.log",
    params:
        command=draw("screening", pictures=["book", "cage", "prism"]),


use rule labelled_set as committee_figure with:
    input:
        labels=f"{RESULTS}/training/valid.extxyz",
        predictions=expand(PREDICTIONS, seed=SEEDS, allow_missing=True),
        calibration=f"{RESULTS}/training/committee/{{model}}.json",
        style=STYLE,
    output:
        **figure_files("committee-{model}", "Uncertainty of a committee", "Models"),
    log:
        f"{RESULTS}/logs/figures/committee-{{model}}.log",
    params:
        command=draw("committee", model=attrgetter("model")),


use rule labelled_set as spectrum with:
    input:
        spectra=expand(SPECTRUM, system=SYSTEMS, model=backbone_models, seed=SEEDS),
        style=STYLE,
    output:
        **figure_files("spectrum-{backbone}", "Infrared spectra", "Spectra"),
    log:
        f"{RESULTS}/logs/figures/spectrum-{{backbone}}.log",
    params:
        command=draw("spectrum", models=each_seed(backbone_models), experiments=EXPERIMENTS, **PANELS),


use rule labelled_set as spectrum_linear with:
    input:
        spectra=expand(SPECTRUM, system=SYSTEMS, model=backbone_models, seed=SEEDS),
        velocities=expand(VELOCITIES, system=SYSTEMS, model=first_model, seed=SEEDS[0]),
        style=STYLE,
    output:
        **figure_files("spectrum_linear-{backbone}", "Bands and motions", "Spectra"),
    log:
        f"{RESULTS}/logs/figures/spectrum_linear-{{backbone}}.log",
    params:
        command=draw(
            "spectrum_linear",
            models=each_seed(backbone_models),
            experiments=EXPERIMENTS,
            bands=BANDS,
            **PANELS,
        ),


use rule labelled_set as current_terms with:
    input:
        spectra=expand(SPECTRUM, system=SYSTEMS, model=coupled_models, seed=SEEDS),
        style=STYLE,
    output:
        **figure_files("current_terms-{backbone}", "Static charges and charge flux", "Spectra"),
    log:
        f"{RESULTS}/logs/figures/current_terms-{{backbone}}.log",
    params:
        command=draw("current_terms", models=each_seed(coupled_models), **PANELS),


# Only the first seed: published models have no seeds.
use rule labelled_set as published_spectra with:
    input:
        spectra=expand(SPECTRUM, system=SYSTEMS, model=backbone_models, seed=SEEDS[0]),
        published=lambda wildcards: [
            PUBLISHED_SPECTRA[system][model] for system in SYSTEMS for model in backbone_models(wildcards)
        ],
        style=STYLE,
    output:
        **figure_files("published_spectra-{backbone}", "Spectra beside the published ones", "Spectra"),
    log:
        f"{RESULTS}/logs/figures/published_spectra-{{backbone}}.log",
    params:
        command=draw(
            "published_spectra",
            titles=PANELS["titles"],
            models=backbone_models,
            resolution=PANELS["resolution"],
        ),


use rule labelled_set as label_study_figure with:
    input:
        table=f"{RESULTS}/labels/studies/{{study}}.csv",
        style=STYLE,
    output:
        **figure_files("{study}"),
    log:
        f"{RESULTS}/logs/figures/{{study}}.log",
    wildcard_constraints:
        study="|".join(STUDY_PLOTS),  # other studies have no figure
    params:
        command=draw("label_studies", study=attrgetter("study")),


use rule labelled_set as timing_figure with:
    input:
        timing=[f"{RESULTS}/dynamics/timing.csv", *SETTINGS["dynamics"]["timing"]["beside"]],
        style=STYLE,
    output:
        **figure_files("timing"),
    log:
        f"{RESULTS}/logs/figures/timing.log",
    params:
        command=draw("timing"),


use rule labelled_set as growth with:
    input:
        errors=f"{RESULTS}/grow/errors.csv",
        style=STYLE,
    output:
        **figure_files("growth"),
    log:
        f"{RESULTS}/logs/figures/growth.log",
    params:
        command=draw("growth"),


use rule labelled_set as conservation_figure with:
    input:
        runs=[*FREE],
        style=STYLE,
    output:
        **figure_files("conservation"),
    log:
        f"{RESULTS}/logs/figures/conservation.log",
    params:
        command=draw("conservation", models=[*FREE.values()], title=FREE_TITLE),


use rule labelled_set as response_figure with:
    input:
        responses=RESPONSES,
        style=STYLE,
    output:
        **figure_files("response"),
    log:
        f"{RESULTS}/logs/figures/response.log",
    params:
        command=draw("response", names=RESPONSE_NAMES, title=RESPONSE_TITLE),


use rule labelled_set as learning_figure with:
    input:
        sizes=f"{RESULTS}/training/learning_curve.csv",
        times=expand(f"{RESULTS}/models/{{model}}/{{seed}}/validation.csv", model=CURVE_MODELS, seed=SEEDS),
        style=STYLE,
    output:
        **figure_files("learning_curve"),
    log:
        f"{RESULTS}/logs/figures/learning_curve.log",
    params:
        command=draw("learning_curve", models=each_seed(CURVE_MODELS)),
