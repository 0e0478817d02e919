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
# The dipole in a field, of the first seed.
RESPONSES = expand(
    f"{RESULTS}/spectra/{{system}}/response-{{model}}-{{seed}}.csv",
    system=WATER,
    model=MODELS,
    seed=SEEDS[0],
)


rule susceptibility:
    input:
        runs=replicas,
        config=f"{RESULTS}/settings/spectra.yaml",
    output:
        f"{RESULTS}/spectra/{{system}}/{{model}}-{{seed}}.csv",
    log:
        f"{RESULTS}/logs/spectra/{{system}}/{{model}}-{{seed}}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m bornflow.spectra.susceptibility --runs {input.runs:q} --config {input.config:q}"
        " --out {output:q} &> {log:q}"


rule velocities:
    input:
        runs=replicas,
        config=f"{RESULTS}/settings/spectra.yaml",
    output:
        f"{RESULTS}/spectra/{{system}}/velocities-{{model}}-{{seed}}.csv",
    log:
        f"{RESULTS}/logs/spectra/{{system}}/velocities-{{model}}-{{seed}}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "python -m bornflow.spectra.velocities --runs {input.runs:q} --config {input.config:q}"
        " --out {output:q} &> {log:q}"


# Liquid water beside measured optical constants, as numbers.
rule deviations:
    input:
        expand(f"{RESULTS}/spectra/{{system}}/{{model}}-{{seed}}.csv", model=MODELS, allow_missing=True),
    output:
        f"{RESULTS}/spectra/{{system}}/deviations-{{seed}}.csv",
    log:
        f"{RESULTS}/logs/spectra/{{system}}/deviations-{{seed}}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    params:
        models=list(MODELS),
    shell:
        "python -m bornflow.spectra.deviations --spectra {input:q} --models {params.models:q}"
        " --out {output:q} &> {log:q}"


# The dipole in a field that is switched on, beside what the fluctuations of a run without one say.
rule response:
    input:
        model=f"{RESULTS}/models/{{model}}/{{seed}}/config.yaml",
        parameters=f"{RESULTS}/models/{{model}}/{{seed}}/parameters.msgpack",
        run=f"{RESULTS}/dynamics/{{system}}/{{model}}-{{seed}}-0.h5",
        spectrum=f"{RESULTS}/spectra/{{system}}/{{model}}-{{seed}}.csv",
        config=f"{RESULTS}/settings/response.yaml",
    output:
        f"{RESULTS}/spectra/{{system}}/response-{{model}}-{{seed}}.csv",
    log:
        f"{RESULTS}/logs/spectra/{{system}}/response-{{model}}-{{seed}}.log",
    conda:
        "../../envs/jax.yaml"
    resources:
        mem_mb=1500,
        runtime=240,
    params:
        folder=subpath(input.model, parent=True),
    shell:
        "NPROC={threads} python -m bornflow.spectra.response --checkpoint {params.folder:q}"
        " --run {input.run:q} --spectrum {input.spectrum:q} --config {input.config:q}"
        " --out {output:q} &> {log:q}"
