# The parts of the configuration that jobs read, each a file of its own.
rule settings:
    output:
        f"{RESULTS}/settings/{{part}}.yaml",
    log:
        f"{RESULTS}/logs/settings/{{part}}.log",
    priority: 2  # training waits for it
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=200,
        runtime=5,
    params:
        values=settings_of,
    shell:
        "python -m bornflow.config.write --json {params.values:q} --out {output:q} &> {log:q}"
