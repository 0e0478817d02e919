# Infrared spectra from the currents of all replicas, and comparisons with them.
SPECTRUM = f"{RESULTS}/spectra/{{system}}/{{model}}-{{seed}}.csv"
VELOCITIES = f"{RESULTS}/spectra/{{system}}/velocities-{{model}}-{{seed}}.csv"
RESPONSE = f"{RESULTS}/spectra/{{system}}/response-{{model}}-{{seed}}.csv"
SPECTRA = expand(SPECTRUM, system=SYSTEMS, model=MODELS, seed=SEEDS)
# Systems with measured optical constants. Bands are narrower than logarithmic bins, which are not compared.
WATER = [system for system, options in SYSTEMS.items() if options["experiment"] == "water"]
COMPARED = WATER if SETTINGS["spectra"]["binning"] == "linear" else []
DEVIATIONS = expand(f"{RESULTS}/spectra/{{system}}/deviations-{{seed}}.csv", system=COMPARED, seed=SEEDS)
# The file of the paper's published spectrum for each system and model.
PUBLISHED_SPECTRA = {
    system: {
        model: f"{SETTINGS['spectra']['published']}/spectrum_{variant['backbone']}_{variant['charges']}_{system}.npz"
        for model, variant in MODELS.items()
    }
    for system in (SYSTEMS if "published" in SETTINGS["spectra"] else [])
}
PUBLISHED_BANDS = expand(
    f"{RESULTS}/spectra/{{system}}/published-{{seed}}.csv", system=PUBLISHED_SPECTRA, seed=SEEDS
)
# The dipole in an electric field, with the first seed.
RESPONSES = expand(RESPONSE, system=WATER, model=MODELS, seed=SEEDS[0])
RESPONSE_NAMES = [model if len(WATER) == 1 else f"{system}, {model}" for system in WATER for model in MODELS]
RESPONSE_TITLE = "; ".join(RUN_LABELS[system] for system in WATER)
RESPONSE_TITLE += f"; fields of ±{SETTINGS['dynamics']['response']['field']:g} V/Å"
# Options of all figures of spectra.
PANELS = {"titles": [*RUN_LABELS.values()], "resolution": SETTINGS["spectra"]["resolution"]}
EXPERIMENTS = [options["experiment"] for options in SYSTEMS.values()]
BANDS = [json.dumps(options["bands"]) for options in SYSTEMS.values()]


rule susceptibility:
    input:
        runs=replicas,
        config=f"{RESULTS}/settings/spectra.yaml",
    output:
        SPECTRUM,
    log:
        f"{RESULTS}/logs/spectra/{{system}}/{{model}}-{{seed}}.log",
    conda:
        "../../envs/analysis.yaml"
    shell:
        "python -m bornflow.spectra.susceptibility --runs {input.runs:q} --config {input.config:q}"
        " --out {output:q} &> {log:q}"


rule velocities:
    input:
        runs=replicas,
        config=f"{RESULTS}/settings/spectra.yaml",
    output:
        VELOCITIES,
    log:
        f"{RESULTS}/logs/spectra/{{system}}/velocities-{{model}}-{{seed}}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=4000,
    shell:
        "python -m bornflow.spectra.velocities --runs {input.runs:q} --config {input.config:q}"
        " --out {output:q} &> {log:q}"


# Deviations of the spectrum of liquid water from measured optical constants.
rule deviations:
    input:
        expand(SPECTRUM, model=MODELS, allow_missing=True),
    output:
        f"{RESULTS}/spectra/{{system}}/deviations-{{seed}}.csv",
    log:
        f"{RESULTS}/logs/spectra/{{system}}/deviations-{{seed}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=list(MODELS),
    shell:
        "python -m bornflow.spectra.deviations --spectra {input:q} --models {params.models:q}"
        " --out {output:q} &> {log:q}"


# Positions and widths of bands beside those of published spectra.
rule published_bands:
    input:
        spectra=expand(SPECTRUM, model=MODELS, allow_missing=True),
        published=lambda wildcards: PUBLISHED_SPECTRA[wildcards.system].values(),
    output:
        f"{RESULTS}/spectra/{{system}}/published-{{seed}}.csv",
    log:
        f"{RESULTS}/logs/spectra/{{system}}/published-{{seed}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=list(MODELS),
        bands=lambda wildcards: json.dumps(SYSTEMS[wildcards.system]["bands"]),
    shell:
        "python -m bornflow.spectra.published --spectra {input.spectra:q} --published {input.published:q}"
        " --models {params.models:q} --bands {params.bands:q} --out {output:q} &> {log:q}"


# The dipole after an electric field is switched on, compared with the fluctuations of a run without a field.
rule response:
    input:
        model=f"{RESULTS}/models/{{model}}/{{seed}}/config.yaml",
        parameters=f"{RESULTS}/models/{{model}}/{{seed}}/parameters.msgpack",
        run=f"{RESULTS}/dynamics/{{system}}/{{model}}-{{seed}}-0.h5",
        spectrum=SPECTRUM,
        config=f"{RESULTS}/settings/response.yaml",
    output:
        RESPONSE,
    log:
        f"{RESULTS}/logs/spectra/{{system}}/response-{{model}}-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/response/{{system}}/{{model}}-{{seed}}.tsv"
    conda:
        "../../envs/jax.yaml"
    resources:
        runtime=240,
    params:
        folder=subpath(input.model, parent=True),
    shell:
        "NPROC={threads} python -m bornflow.spectra.response --checkpoint {params.folder:q}"
        " --run {input.run:q} --spectrum {input.spectrum:q} --config {input.config:q}"
        " --out {output:q} &> {log:q}"
