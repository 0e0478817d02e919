# The figures, as PDF and PNG. The style is an input: restyling draws again and does nothing else.
STYLE = "workflow/bornflow/figures/bornflow.mplstyle"
OF_MODELS = [
    "labelled_set",
    "errors",
    *(f"bec_parity-{backbone}" for backbone in BACKBONES),
    *(f"screening-{model}" for model, variant in MODELS.items() if variant["charges"] == "local"),
]
OF_SPECTRA = [
    f"{figure}-{backbone}"
    for backbone in BACKBONES
    for figure in ("spectrum", "spectrum_linear", "current_parts")
    if SYSTEMS and (figure != "current_parts" or coupled(backbone))
]
MODEL_FIGURES, SPECTRUM_FIGURES = (
    expand(f"{RESULTS}/figures/{{figure}}.{{suffix}}", figure=names, suffix=["pdf", "png"])
    for names in (OF_MODELS, OF_SPECTRA)
)
FIGURES = MODEL_FIGURES + SPECTRUM_FIGURES
SAMPLES, TITLES = samples(SETTINGS["dynamics"]), titles(SETTINGS["dynamics"])


rule labelled_set:
    input:
        labels=expand(f"{RESULTS}/training/{{part}}.extxyz", part=["train", "valid"]),
        style=STYLE,
    output:
        pdf=f"{RESULTS}/figures/labelled_set.pdf",
        png=report(
            f"{RESULTS}/figures/labelled_set.png",
            caption="../report/labelled_set.rst",
            category="Models",
            labels={"figure": "Make-up of the labelled set", "model": "all"},
        ),
    log:
        f"{RESULTS}/logs/figures/labelled_set.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    shell:
        "python -m bornflow.figures.labelled_set --labels {input.labels:q} --style {input.style:q}"
        " --out {output.pdf:q} {output.png:q} &> {log:q}"


rule bec_parity:
    input:
        labels=f"{RESULTS}/training/valid.extxyz",
        predictions=backbone_predictions,
        style=STYLE,
    output:
        pdf=f"{RESULTS}/figures/bec_parity-{{backbone}}.pdf",
        png=report(
            f"{RESULTS}/figures/bec_parity-{{backbone}}.png",
            caption="../report/bec_parity.rst",
            category="Models",
            labels={"figure": "Born effective charges", "model": "{backbone}"},
        ),
    log:
        f"{RESULTS}/logs/figures/bec_parity-{{backbone}}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        models=names_for_backbone,
    shell:
        "python -m bornflow.figures.bec_parity --labels {input.labels:q}"
        " --predictions {input.predictions:q} --models {params.models:q} --style {input.style:q}"
        " --out {output.pdf:q} {output.png:q} &> {log:q}"


rule errors_figure:
    input:
        errors=ERRORS,
        style=STYLE,
    output:
        pdf=f"{RESULTS}/figures/errors.pdf",
        png=report(
            f"{RESULTS}/figures/errors.png",
            caption="../report/errors.rst",
            category="Models",
            labels={"figure": "Errors", "model": "all"},
        ),
    log:
        f"{RESULTS}/logs/figures/errors.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    shell:
        "python -m bornflow.figures.errors --errors {input.errors:q} --style {input.style:q}"
        " --out {output.pdf:q} {output.png:q} &> {log:q}"


# Structures of these names are pictured where the data holds them.
PICTURED = ["book", "cage", "prism"]


rule screening:
    input:
        predictions=[f"{RESULTS}/training/predictions/{{model}}-{seed}.extxyz" for seed in SEEDS],
        style=STYLE,
    output:
        pdf=f"{RESULTS}/figures/screening-{{model}}.pdf",
        png=report(
            f"{RESULTS}/figures/screening-{{model}}.png",
            caption="../report/screening.rst",
            category="Models",
            labels={"figure": "Local screening", "model": "{model}"},
        ),
    log:
        f"{RESULTS}/logs/figures/screening-{{model}}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        pictured=PICTURED,
    shell:
        "python -m bornflow.figures.screening --predictions {input.predictions:q}"
        " --pictures {params.pictured:q} --style {input.style:q}"
        " --out {output.pdf:q} {output.png:q} &> {log:q}"


rule spectrum:
    input:
        spectra=spectra_for_backbone,
        style=STYLE,
    output:
        pdf=f"{RESULTS}/figures/spectrum-{{backbone}}.pdf",
        png=report(
            f"{RESULTS}/figures/spectrum-{{backbone}}.png",
            caption="../report/spectrum.rst",
            category="Spectra",
            labels={"figure": "Infrared spectra", "model": "{backbone}"},
        ),
    log:
        f"{RESULTS}/logs/figures/spectrum-{{backbone}}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        titles=list(TITLES.values()),
        resolution=SETTINGS["spectra"]["resolution"],
        models=names_for_backbone,
        experiments=[options["experiment"] for options in SYSTEMS.values()],
    shell:
        "python -m bornflow.figures.spectrum --spectra {input.spectra:q} --titles {params.titles:q}"
        " --models {params.models:q} --experiments {params.experiments:q}"
        " --resolution {params.resolution:q} --style {input.style:q}"
        " --out {output.pdf:q} {output.png:q} &> {log:q}"


rule spectrum_linear:
    input:
        spectra=rules.spectrum.input.spectra,
        velocities=velocities_for_backbone,
        style=STYLE,
    output:
        pdf=f"{RESULTS}/figures/spectrum_linear-{{backbone}}.pdf",
        png=report(
            f"{RESULTS}/figures/spectrum_linear-{{backbone}}.png",
            caption="../report/spectrum_linear.rst",
            category="Spectra",
            labels={"figure": "Bands and motions", "model": "{backbone}"},
        ),
    log:
        f"{RESULTS}/logs/figures/spectrum_linear-{{backbone}}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        titles=rules.spectrum.params.titles,
        models=rules.spectrum.params.models,
        resolution=rules.spectrum.params.resolution,
        experiments=rules.spectrum.params.experiments,
    shell:
        "python -m bornflow.figures.spectrum_linear --spectra {input.spectra:q}"
        " --velocities {input.velocities:q} --titles {params.titles:q} --models {params.models:q}"
        " --experiments {params.experiments:q} --resolution {params.resolution:q} --style {input.style:q}"
        " --out {output.pdf:q} {output.png:q} &> {log:q}"


rule current_parts:
    input:
        spectra=spectra_of_coupled,
        style=STYLE,
    output:
        pdf=f"{RESULTS}/figures/current_parts-{{backbone}}.pdf",
        png=report(
            f"{RESULTS}/figures/current_parts-{{backbone}}.png",
            caption="../report/current_parts.rst",
            category="Spectra",
            labels={"figure": "Static charges and charge flux", "model": "{backbone}"},
        ),
    log:
        f"{RESULTS}/logs/figures/current_parts-{{backbone}}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        titles=rules.spectrum.params.titles,
        resolution=rules.spectrum.params.resolution,
        models=names_of_coupled,
    shell:
        "python -m bornflow.figures.current_parts --spectra {input.spectra:q} --titles {params.titles:q}"
        " --models {params.models:q} --resolution {params.resolution:q} --style {input.style:q}"
        " --out {output.pdf:q} {output.png:q} &> {log:q}"


# Studies of the labels' settings that have a figure.
WITH_FIGURE = ["convergence", "field_strength", "field_operator"]
STUDY_FIGURES = expand(
    f"{RESULTS}/figures/{{study}}.{{suffix}}",
    study=[study for study in WITH_FIGURE if study in STUDIES],
    suffix=["pdf", "png"],
)


rule label_study_figure:
    input:
        table=f"{RESULTS}/labels/studies/{{study}}.csv",
        style=STYLE,
    output:
        pdf=f"{RESULTS}/figures/{{study}}.pdf",
        png=f"{RESULTS}/figures/{{study}}.png",
    log:
        f"{RESULTS}/logs/figures/{{study}}.log",
    wildcard_constraints:
        study="|".join(WITH_FIGURE),  # a study called `errors` has no figure
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    shell:
        "python -m bornflow.figures.label_studies --study {wildcards.study:q} --table {input.table:q}"
        " --style {input.style:q} --out {output.pdf:q} {output.png:q} &> {log:q}"


rule timing_figure:
    input:
        timing=[f"{RESULTS}/dynamics/timing.csv", *SETTINGS["dynamics"]["timing"]["beside"]],
        style=STYLE,
    output:
        pdf=f"{RESULTS}/figures/timing.pdf",
        png=f"{RESULTS}/figures/timing.png",
    log:
        f"{RESULTS}/logs/figures/timing.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    shell:
        "python -m bornflow.figures.timing --timing {input.timing:q} --style {input.style:q}"
        " --out {output.pdf:q} {output.png:q} &> {log:q}"


rule conservation_figure:
    input:
        runs=[run for run, model in FREE],
        style=STYLE,
    output:
        pdf=f"{RESULTS}/figures/conservation.pdf",
        png=f"{RESULTS}/figures/conservation.png",
    log:
        f"{RESULTS}/logs/figures/conservation.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        models=[model for run, model in FREE],
        title="; ".join(dict.fromkeys(SAMPLES[system] for system in FREE_SYSTEMS)),
    shell:
        "python -m bornflow.figures.conservation --runs {input.runs:q} --models {params.models:q}"
        " --title {params.title:q} --style {input.style:q} --out {output.pdf:q} {output.png:q} &> {log:q}"


rule response_figure:
    input:
        responses=RESPONSES,
        style=STYLE,
    output:
        pdf=f"{RESULTS}/figures/response.pdf",
        png=f"{RESULTS}/figures/response.png",
    log:
        f"{RESULTS}/logs/figures/response.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        names=[model if len(WATER) == 1 else f"{system}, {model}" for system in WATER for model in MODELS],
        title="; ".join(TITLES[system] for system in WATER)
        + f"; fields of ±{SETTINGS['dynamics']['response']['field']:g} V/Å",
    shell:
        "python -m bornflow.figures.response --responses {input.responses:q} --names {params.names:q}"
        " --title {params.title:q} --style {input.style:q} --out {output.pdf:q} {output.png:q} &> {log:q}"


rule learning_figure:
    input:
        sizes=f"{RESULTS}/training/learning_curve.csv",
        times=expand(f"{RESULTS}/models/{{model}}/{{seed}}/validation.csv", model=CURVE_MODELS, seed=SEEDS),
        style=STYLE,
    output:
        pdf=f"{RESULTS}/figures/learning_curve.pdf",
        png=f"{RESULTS}/figures/learning_curve.png",
    log:
        f"{RESULTS}/logs/figures/learning_curve.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        models=each_seed(CURVE_MODELS),
    shell:
        "python -m bornflow.figures.learning_curve --sizes {input.sizes:q} --times {input.times:q}"
        " --models {params.models:q} --style {input.style:q} --out {output.pdf:q} {output.png:q} &> {log:q}"
