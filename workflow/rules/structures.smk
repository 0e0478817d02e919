# Sections of the configuration, which jobs of all stages read; pools of candidate structures, and the most
# different structures of each pool.
SELECTED = expand(f"{RESULTS}/structures/selected/{{structure}}.extxyz", structure=POOLS)


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


rule sample:
    input:
        config=f"{RESULTS}/settings/pool-{{structure}}.yaml",
        files=lookup(dpath="structures/pools/{structure}/files", within=SETTINGS, default=[]),
    output:
        pool=f"{RESULTS}/structures/pools/{{structure}}.extxyz",
    log:
        f"{RESULTS}/logs/structures/sample-{{structure}}.log",
    conda:
        "../../envs/structures.yaml"
    resources:
        runtime=720,
    shell:
        "python -m bornflow.structures.sample --structure {wildcards.structure:q}"
        " --config {input.config:q} --out {output.pool:q} &> {log:q}"


# The candidates of a pool with a committee of models: those that the models are least certain about.
rule uncertain:
    input:
        pool=f"{RESULTS}/structures/pools/{{structure}}.extxyz",
        models=committee_files,
        config=f"{RESULTS}/settings/structures.yaml",
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
        keep=lookup(dpath="structures/pools/{structure}/select", within=SETTINGS),
    shell:
        "NPROC={threads} python -m bornflow.structures.uncertain --pool {input.pool:q}"
        " --committee {params.committee:q} --count {params.keep:q} --config {input.config:q}"
        " --out {output.pool:q} &> {log:q}"


rule select:
    input:
        pool=candidates,
        config=f"{RESULTS}/settings/structures.yaml",
    output:
        selected=f"{RESULTS}/structures/selected/{{structure}}.extxyz",
    log:
        f"{RESULTS}/logs/structures/select-{{structure}}.log",
    conda:
        "../../envs/structures.yaml"
    params:
        keep=lookup(dpath="structures/pools/{structure}/select", within=SETTINGS),
    shell:
        "python -m bornflow.structures.select --pool {input.pool:q} --count {params.keep:q}"
        " --config {input.config:q} --out {output.selected:q} &> {log:q}"
