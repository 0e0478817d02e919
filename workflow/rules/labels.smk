# Energies, forces and Born effective charges of the selected structures, in batches.
LABELLED = f"{RESULTS}/labels/labels.extxyz"
TOTAL = sum(pool["select"] for pool in POOLS.values())
BATCHES = range(-(-TOTAL // SETTINGS["labels"]["batch_size"]))
# Where CP2K is found, one shipped structure is labelled afresh and compared.
LABEL_CHECK = [f"{RESULTS}/labels/check.csv"] * (SHIPPED in SETTINGS["training"]["data"] and has_cp2k())


rule collect:
    input:
        SELECTED,
    output:
        f"{RESULTS}/structures/selected.extxyz",
    log:
        f"{RESULTS}/logs/labels/collect.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=200,
        runtime=5,
    shell:
        "(cat {input} > {output}.part && mv {output}.part {output}) 2> {log}"


rule label:
    input:
        structures=f"{RESULTS}/structures/selected.extxyz",
        config=f"{RESULTS}/settings/labels.yaml",
    output:
        labelled=f"{RESULTS}/labels/batches/{{batch}}.extxyz",
        refused=f"{RESULTS}/labels/batches/{{batch}}.csv",
    log:
        f"{RESULTS}/logs/labels/batch-{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/label-{{batch}}.tsv"
    conda:
        "../../envs/cp2k.yaml"
    threads: SETTINGS["labels"]["threads"]
    resources:
        mem_mb=label_memory,
        runtime=720,
    shell:
        "python -m bornflow.labels.label --structures {input.structures} --batch {wildcards.batch}"
        " --config {input.config} --threads {threads}"
        " --out {output.labelled} --refused {output.refused} &> {log}"


rule gather:
    input:
        labelled=expand(f"{RESULTS}/labels/batches/{{batch}}.extxyz", batch=BATCHES),
        refused=expand(f"{RESULTS}/labels/batches/{{batch}}.csv", batch=BATCHES),
        config=f"{RESULTS}/settings/labels.yaml",
    output:
        labelled=LABELLED,
        refused=f"{RESULTS}/labels/refused.csv",
    log:
        f"{RESULTS}/logs/labels/gather.log",
    conda:
        "../../envs/cp2k.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    shell:
        "python -m bornflow.labels.gather --labelled {input.labelled} --refused {input.refused}"
        " --config {input.config} --out {output.labelled} --out-refused {output.refused} &> {log}"


rule convergence:
    input:
        data=SETTINGS["labels"]["convergence"]["data"],
        config=f"{RESULTS}/settings/labels.yaml",
    output:
        f"{RESULTS}/labels/convergence.csv",
    log:
        f"{RESULTS}/logs/labels/convergence.log",
    benchmark:
        f"{RESULTS}/benchmarks/convergence.tsv"
    conda:
        "../../envs/cp2k.yaml"
    threads: SETTINGS["labels"]["threads"]
    resources:
        mem_mb=label_memory,
        runtime=720,
    shell:
        "python -m bornflow.labels.convergence --config {input.config} --threads {threads}"
        " --out {output} &> {log}"


rule check_label:
    input:
        shipped=SHIPPED,
        config=f"{RESULTS}/settings/labels.yaml",
    output:
        f"{RESULTS}/labels/check.csv",
    log:
        f"{RESULTS}/logs/labels/check.log",
    benchmark:
        f"{RESULTS}/benchmarks/check_label.tsv"
    conda:
        "../../envs/cp2k.yaml"
    threads: SETTINGS["labels"]["threads"]
    resources:
        mem_mb=2000,
        runtime=60,
    shell:
        "python -m bornflow.labels.check --shipped {input.shipped} --config {input.config}"
        " --threads {threads} --out {output} &> {log}"
