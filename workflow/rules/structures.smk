# Candidate structures, and the most different of them.
SELECTED = expand(f"{RESULTS}/structures/selected/{{structure}}.extxyz", structure=POOLS)


rule generate:
    input:
        config=f"{RESULTS}/settings/pool-{{structure}}.yaml",
        files=pool_files,
    output:
        pool=f"{RESULTS}/structures/pools/{{structure}}.extxyz",
    log:
        f"{RESULTS}/logs/structures/generate-{{structure}}.log",
    conda:
        "../../envs/structures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=720,
    shell:
        "python -m bornflow.structures.sample --structure {wildcards.structure:q}"
        " --config {input.config:q} --out {output.pool:q} &> {log:q}"


rule select:
    input:
        pool=f"{RESULTS}/structures/pools/{{structure}}.extxyz",
        config=f"{RESULTS}/settings/structures.yaml",
    output:
        selected=f"{RESULTS}/structures/selected/{{structure}}.extxyz",
    log:
        f"{RESULTS}/logs/structures/select-{{structure}}.log",
    conda:
        "../../envs/structures.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        keep=pool_count,
    shell:
        "python -m bornflow.structures.select --pool {input.pool:q} --count {params.keep:q}"
        " --config {input.config:q} --out {output.selected:q} &> {log:q}"
