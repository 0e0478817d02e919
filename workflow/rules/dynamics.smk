# Molecular dynamics of every system with every model.
RUNS = [
    f"{RESULTS}/dynamics/{system}/{model}-{seed}-{replica}.h5"
    for system, options in SYSTEMS.items()
    for model in MODELS
    for seed in SEEDS
    for replica in range(options["replicas"])
]
# Runs without a thermostat, and the model of each.
FREE_SYSTEMS = [
    system
    for system, options in SYSTEMS.items()
    if options.get("thermostat", SETTINGS["dynamics"]["thermostat"]) == "nve"
]
FREE = [
    (f"{RESULTS}/dynamics/{system}/{model}-{SEEDS[0]}-{replica}.h5", model)
    for model in MODELS
    for system in FREE_SYSTEMS
    for replica in range(SYSTEMS[system]["replicas"])
]
# Systems that have measured optical constants to compare with.
WATER = [system for system, options in SYSTEMS.items() if options["experiment"] == "water"]


rule md:
    input:
        model=f"{RESULTS}/models/{{model}}/{{seed}}/config.yaml",
        parameters=f"{RESULTS}/models/{{model}}/{{seed}}/parameters.msgpack",
        structure=start_structure,
        config=f"{RESULTS}/settings/system-{{system}}.yaml",
    output:
        f"{RESULTS}/dynamics/{{system}}/{{model}}-{{seed}}-{{replica}}.h5",
    log:
        f"{RESULTS}/logs/dynamics/{{system}}/{{model}}-{{seed}}-{{replica}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/md/{{system}}/{{model}}-{{seed}}-{{replica}}.tsv"
    conda:
        "../../envs/jax.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=1440,
    params:
        folder=subpath(input.model, parent=True),
        frame=start_frame,
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
    threads: workflow.cores
    resources:
        mem_mb=16000,
        runtime=120,
    params:
        models=list(MODELS),
        atoms=SETTINGS["dynamics"]["timing"]["atoms"],
        seconds=SETTINGS["dynamics"]["timing"]["seconds"],
    shell:
        "python -m bornflow.benchmarks.dynamics --models {params.models:q} --config {input.config:q}"
        " --atoms {params.atoms:q} --seconds {params.seconds:q} --out {output:q} &> {log:q}"


rule conservation_table:
    input:
        [run for run, model in FREE],
    output:
        f"{RESULTS}/dynamics/conservation.csv",
    log:
        f"{RESULTS}/logs/dynamics/conservation.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        models=[model for run, model in FREE],
    shell:
        "python -m bornflow.dynamics.conservation --runs {input:q} --models {params.models:q}"
        " --out {output:q} &> {log:q}"
