# Sections of the configuration, which jobs of all stages read; pools of candidate structures, and the most
# different structures of each pool.
SELECTED = expand(f"{RESULTS}/structures/selected/{{structure}}.extxyz", structure=CHOSEN)
SAMPLED = [f"{RESULTS}/structures/sampled.csv"] if POOLS else []


# A job has the section that it reads as an input, so that other changes of the configuration do not rerun it.
rule settings:
    output:
        f"{RESULTS}/settings/{{section}}.yaml",
    log:
        f"{RESULTS}/logs/settings/{{section}}.log",
    priority: 2  # training waits for it
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        values=section_of,
    shell:
        "python -m bornflow.config.write --json {params.values:q} --out {output:q} &> {log:q}"


# A published source: fetched, if its files are not in structures.downloads.
rule source:
    input:
        registry=ancient(SETTINGS["structures"]["sources"]),
    output:
        f"{RESULTS}/structures/sources/{{source}}.extxyz",
    log:
        f"{RESULTS}/logs/structures/source-{{source}}.log",
    localrule: True
    conda:
        "../../envs/structures.yaml"
    params:
        downloads=SETTINGS["structures"]["downloads"],
        state=source_state,  # another one reruns the rule
    shell:
        "python -m bornflow.structures.sources --source {wildcards.source:q} --registry {input.registry:q}"
        " --downloads {params.downloads:q} --out {output:q} &> {log:q}"


# One start of a pool: a packing, or a structure of its files, relaxed and extended by dynamics.
rule sample:
    input:
        config=f"{RESULTS}/settings/pool-{{structure}}.yaml",
        files=lookup(dpath="{structure}/sources", within=POOL_FILES),
        models=lookup(dpath="{structure}/sampler", within=POOL_FILES),
    output:
        candidates=f"{RESULTS}/structures/starts/{{structure}}/{{start}}.extxyz",
        left_out=f"{RESULTS}/structures/starts/{{structure}}/{{start}}.csv",
    log:
        f"{RESULTS}/logs/structures/sample-{{structure}}-{{start}}.log",
    conda:
        "../../envs/structures.yaml"
    resources:
        runtime=720,
    params:
        pool="{structure}",
    shell:
        "NPROC={threads} OMP_NUM_THREADS={threads} python -m bornflow.structures.sample"
        " --structure {params.pool:q} --start {wildcards.start:q} --config {input.config:q}"
        " --out {output.candidates:q} --left-out {output.left_out:q} &> {log:q}"


rule pool:
    input:
        lookup(dpath="{structure}/starts", within=POOL_FILES),
    output:
        f"{RESULTS}/structures/pools/{{structure}}.extxyz",
    log:
        f"{RESULTS}/logs/structures/pool-{{structure}}.log",
    localrule: True
    conda:
        "../../envs/structures.yaml"
    shell:
        "python -m bornflow.structures.join_pools --structures {input:q} --out {output:q} &> {log:q}"


# How many frames of each pool were sampled, left out (by reason) and selected.
rule sampled:
    input:
        left_out=[path for pool in POOL_FILES.values() for path in pool["left_out"]],
        candidates=expand(f"{RESULTS}/structures/pools/{{structure}}.extxyz", structure=POOLS),
        selected=SELECTED,
    output:
        f"{RESULTS}/structures/sampled.csv",
    log:
        f"{RESULTS}/logs/structures/sampled.log",
    localrule: True
    conda:
        "../../envs/structures.yaml"
    shell:
        "python -m bornflow.structures.count_frames --left-out {input.left_out:q}"
        " --candidates {input.candidates:q} --selected {input.selected:q} --out {output:q} &> {log:q}"


# The candidates of a pool with a committee of models: those that the models are least certain about.
rule uncertain:
    input:
        pool=f"{RESULTS}/structures/pools/{{structure}}.extxyz",
        models=lookup(dpath="{structure}/committee", within=POOL_FILES),
        held_out=[],
    output:
        pool=f"{RESULTS}/structures/uncertain/{{structure}}.extxyz",
    log:
        f"{RESULTS}/logs/structures/uncertain-{{structure}}.log",
    conda:
        "../../envs/jax.yaml"
    resources:
        mem_mb=4000,
        runtime=720,
    params:
        committee=lookup(dpath="structures/pools/{structure}/committee", within=SETTINGS),
        keep=lookup(dpath="{structure}/most_selected", within=POOL_FILES),
    shell:
        "NPROC={threads} python -m bornflow.structures.uncertain --pool {input.pool:q}"
        " --committee {params.committee:q} --count {params.keep:q} --held-out {input.held_out:q}"
        " --out {output.pool:q} &> {log:q}"


rule select:
    input:
        pool=lookup(dpath="{structure}/candidates", within=POOL_FILES),
        known=SETTINGS["structures"]["selection"]["start_from"],
        models=lookup(dpath="{structure}/descriptor", within=POOL_FILES),
        config=f"{RESULTS}/settings/structures.yaml",
    output:
        selected=f"{RESULTS}/structures/selected/{{structure}}.extxyz",
        map=f"{RESULTS}/structures/selected/{{structure}}-map.csv",
        coverage=f"{RESULTS}/structures/selected/{{structure}}-coverage.csv",
    log:
        f"{RESULTS}/logs/structures/select-{{structure}}.log",
    conda:
        "../../envs/structures.yaml"
    params:
        keep=lookup(dpath="structures/pools/{structure}/select", within=SETTINGS),
    shell:
        "python -m bornflow.structures.select --pool {input.pool:q} --count {params.keep:q}"
        " --config {input.config:q} --threads {threads} --map {output.map:q} --coverage {output.coverage:q}"
        " --out {output.selected:q} &> {log:q}"
