# Susceptibilities from the currents, averaged over replicas.
SPECTRA = expand(
    f"{RESULTS}/spectra/{{system}}/{{model}}-{{seed}}.csv",
    system=SYSTEMS,
    model=MODELS,
    seed=SEEDS,
)
# Bands are narrower than logarithmic bins.
COMPARED = WATER if SETTINGS["spectra"]["binning"] == "linear" else []
DEVIATIONS = expand(f"{RESULTS}/spectra/{{system}}/deviations-{{seed}}.csv", system=COMPARED, seed=SEEDS)


rule susceptibility:
    input:
        runs=replicas,
        config=f"{RESULTS}/settings/spectra.yaml",
    output:
        f"{RESULTS}/spectra/{{system}}/{{model}}-{{seed}}.csv",
    log:
        f"{RESULTS}/logs/spectra/{{system}}-{{model}}-{{seed}}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m bornflow.spectra.susceptibility --runs {input.runs} --config {input.config}"
        " --out {output} &> {log}"


rule velocities:
    input:
        runs=replicas,
        config=f"{RESULTS}/settings/spectra.yaml",
    output:
        f"{RESULTS}/spectra/{{system}}/velocities-{{model}}-{{seed}}.csv",
    log:
        f"{RESULTS}/logs/spectra/{{system}}-velocities-{{model}}-{{seed}}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "python -m bornflow.spectra.velocities --runs {input.runs} --config {input.config}"
        " --out {output} &> {log}"


# Liquid water beside measured optical constants, as numbers.
rule deviations:
    input:
        expand(f"{RESULTS}/spectra/{{system}}/{{model}}-{{seed}}.csv", model=MODELS, allow_missing=True),
    output:
        f"{RESULTS}/spectra/{{system}}/deviations-{{seed}}.csv",
    log:
        f"{RESULTS}/logs/spectra/{{system}}-deviations-{{seed}}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    params:
        models=list(MODELS),
    shell:
        "python -m bornflow.spectra.deviations --spectra {input} --models {params.models:q}"
        " --out {output} &> {log}"
