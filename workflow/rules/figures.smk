# The figures, as PDF and PNG. The style is an input: restyling draws again and does nothing else.
FIGURES = expand(
    f"{RESULTS}/figures/{{figure}}.{{suffix}}",
    figure=["labelled_set"] + [f"bec_parity-{model}" for model in MODELS] + ["spectrum"] * bool(SYSTEMS),
    suffix=["pdf", "png"],
)


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
        "python -m bornflow.figures.labelled_set --labels {input.labels} --style {input.style}"
        " --out {output.pdf} {output.png} &> {log}"


rule bec_parity:
    input:
        labels=f"{RESULTS}/training/valid.extxyz",
        predictions=f"{RESULTS}/training/evaluation/{{model}}-{SEEDS[0]}.extxyz",
        style=STYLE,
    output:
        pdf=f"{RESULTS}/figures/bec_parity-{{model}}.pdf",
        png=report(
            f"{RESULTS}/figures/bec_parity-{{model}}.png",
            caption="../report/bec_parity.rst",
            category="Models",
            labels={"figure": "Born effective charges", "model": "{model}"},
        ),
    log:
        f"{RESULTS}/logs/figures/bec_parity-{{model}}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    shell:
        "python -m bornflow.figures.bec_parity --labels {input.labels}"
        " --predictions {input.predictions} --title {wildcards.model} --style {input.style}"
        " --out {output.pdf} {output.png} &> {log}"


rule spectrum:
    input:
        spectra=expand(f"{RESULTS}/spectra/{{system}}/{{model}}-{SEEDS[0]}.csv", system=SYSTEMS, model=MODELS),
        style=STYLE,
    output:
        pdf=f"{RESULTS}/figures/spectrum.pdf",
        png=report(
            f"{RESULTS}/figures/spectrum.png",
            caption="../report/spectrum.rst",
            category="Spectra",
            labels={"figure": "Infrared spectra", "model": "all"},
        ),
    log:
        f"{RESULTS}/logs/figures/spectrum.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        titles=[title(system) for system in SYSTEMS],
        models=list(MODELS),
    shell:
        "python -m bornflow.figures.spectrum --spectra {input.spectra} --titles {params.titles:q}"
        " --models {params.models:q} --style {input.style} --out {output.pdf} {output.png} &> {log}"


# Studies of the labels' settings that have a figure.
STUDY_FIGURES = expand(
    f"{RESULTS}/figures/{{study}}.{{suffix}}",
    study=[study for study in ("convergence", "field_strength", "field_operator") if study in STUDIES],
    suffix=["pdf", "png"],
)


rule study_figure:
    input:
        table=f"{RESULTS}/labels/studies/{{study}}.csv",
        style=STYLE,
    output:
        pdf=f"{RESULTS}/figures/{{study}}.pdf",
        png=f"{RESULTS}/figures/{{study}}.png",
    log:
        f"{RESULTS}/logs/figures/{{study}}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    shell:
        "python -m bornflow.figures.label_studies --study {wildcards.study} --table {input.table}"
        " --style {input.style} --out {output.pdf} {output.png} &> {log}"


rule timing_figure:
    input:
        timing=f"{RESULTS}/dynamics/timing.csv",
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
        "python -m bornflow.figures.timing --timing {input.timing} --style {input.style}"
        " --out {output.pdf} {output.png} &> {log}"
