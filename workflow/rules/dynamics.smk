# Molecular dynamics of every system with every model.
RUNS = [
    f"{RESULTS}/dynamics/{system}/{model}-{seed}-{replica}.h5"
    for system, options in SYSTEMS.items()
    for model in MODELS
    for seed in SEEDS
    for replica in range(options["replicas"])
]
# Names of systems on figures, without and with the length of runs.
SYSTEM_LABELS, RUN_LABELS = system_labels(SETTINGS["dynamics"]), run_labels(SETTINGS["dynamics"])
# Runs without a thermostat, with the first seed, and the model of each.
FREE_SYSTEMS = [
    system
    for system, options in SYSTEMS.items()
    if options.get("thermostat", SETTINGS["dynamics"]["thermostat"]) == "nve"
]
FREE = {
    f"{RESULTS}/dynamics/{system}/{model}-{SEEDS[0]}-{replica}.h5": model
    for model in MODELS
    for system in FREE_SYSTEMS
    for replica in range(SYSTEMS[system]["replicas"])
}
FREE_TITLE = "; ".join(dict.fromkeys(SYSTEM_LABELS[system] for system in FREE_SYSTEMS))


rule md:
    input:
        model=f"{RESULTS}/models/{{model}}/{{seed}}/config.yaml",
        parameters=f"{RESULTS}/models/{{model}}/{{seed}}/parameters.msgpack",
        structure=lookup(dpath="dynamics/systems/{system}/structure", within=SETTINGS),
        config=f"{RESULTS}/settings/system-{{system}}.yaml",
    output:
        f"{RESULTS}/dynamics/{{system}}/{{model}}-{{seed}}-{{replica}}.h5",
    log:
        f"{RESULTS}/logs/dynamics/{{system}}/{{model}}-{{seed}}-{{replica}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/md/{{system}}/{{model}}-{{seed}}-{{replica}}.tsv"
    conda:
        "../../envs/jax.yaml"
    resources:
        mem_mb=3000,
        runtime=1440,
    params:
        folder=subpath(input.model, parent=True),
        frame=lookup(dpath="dynamics/systems/{system}/frame", within=SETTINGS),
    shell:
        "NPROC={threads} python -m bornflow.dynamics.md --checkpoint {params.folder:q}"
        " --structure {input.structure:q} --frame {params.frame:q} --system {wildcards.system:q}"
        " --config {input.config:q} --seed {wildcards.replica:q} --out {output:q} &> {log:q}"


rule timing:
    input:
        config=f"{RESULTS}/settings/timing.yaml",
    output:
        f"{RESULTS}/dynamics/timing.csv",
    log:
        f"{RESULTS}/logs/dynamics/timing.log",
    conda:
        "../../envs/jax.yaml"
    threads: ALL_CORES
    resources:
        mem_mb=16000,
        runtime=120,
    params:
        models=list(MODELS),
        peers=SETTINGS["dynamics"]["timing"]["peers"],
        atoms=SETTINGS["dynamics"]["timing"]["atoms"],
        seconds=SETTINGS["dynamics"]["timing"]["seconds"],
    shell:
        "python -m bornflow.benchmarks.dynamics --models {params.models:q} --peers {params.peers:q}"
        " --config {input.config:q} --atoms {params.atoms:q} --seconds {params.seconds:q} --out {output:q} &> {log:q}"


rule conservation_table:
    input:
        [*FREE],
    output:
        f"{RESULTS}/dynamics/conservation.csv",
    log:
        f"{RESULTS}/logs/dynamics/conservation.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        models=[*FREE.values()],
    shell:
        "python -m bornflow.dynamics.conservation --runs {input:q} --models {params.models:q}"
        " --out {output:q} &> {log:q}"
