# Energies, forces and Born effective charges of the selected structures, labelled in batches.
SHIPPED = "resources/labels/water.extxyz"
LABELLED = f"{RESULTS}/labels/labels.extxyz"
TOTAL = sum(POOL_FILES[name]["most_selected"] for name in CHOSEN)
BATCHES = range(-(-TOTAL // SETTINGS["labels"]["batch_size"]))
STUDY_TABLES = expand(
    f"{RESULTS}/labels/studies/{{study}}.csv",
    study=[*STUDIES] + ["linear_response"] * bool(SETTINGS["labels"]["linear_response"]),
)
# Where CP2K is installed, one shipped structure is labelled again and compared.
LABEL_CHECK = [f"{RESULTS}/labels/check.csv"] * (SHIPPED in SETTINGS["training"]["data"] and has_cp2k())


# The models that label, if the engine is `model`.
LABELLING_MODELS = pools.model_files(
    {"model": SETTINGS["labels"]["model"]["folders"] if SETTINGS["labels"]["engine"] == "model" else []}
)

# xtb uses one core. CP2K and models use more, up to those that Snakemake gives.
LABEL_THREADS = 1 if SETTINGS["labels"]["engine"] == "xtb" else SETTINGS["labels"]["threads"]
# Structures to label: the selected ones, relaxed first if their pool asks for it.
RELAXED = [name for name in CHOSEN if POOLS[name]["relax"]]
TO_LABEL = [
    f"{RESULTS}/{'labels/relaxed' if name in RELAXED else 'structures/selected'}/{name}.extxyz"
    for name in CHOSEN
]


rule relax:
    input:
        structures=f"{RESULTS}/structures/selected/{{structure}}.extxyz",
        models=LABELLING_MODELS,
        config=f"{RESULTS}/settings/labels.yaml",
    output:
        relaxed=f"{RESULTS}/labels/relaxed/{{structure}}.extxyz",
        rejected=f"{RESULTS}/labels/relaxed/{{structure}}.csv",
    log:
        f"{RESULTS}/logs/labels/relax-{{structure}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/relax-{{structure}}.tsv"
    conda:
        "../../envs/cp2k.yaml" if SETTINGS["labels"]["engine"] != "model" else "../../envs/jax.yaml"
    threads: LABEL_THREADS
    resources:
        mem_mb=label_memory,
        runtime=720,
    shell:
        "NPROC={threads} python -m bornflow.labels.relax --structures {input.structures:q} --config {input.config:q}"
        " --threads {threads} --out {output.relaxed:q} --rejected {output.rejected:q} &> {log:q}"


rule join_pools:
    input:
        TO_LABEL,
    output:
        f"{RESULTS}/structures/selected.extxyz",
    log:
        f"{RESULTS}/logs/labels/join_pools.log",
    localrule: True
    conda:
        "../../envs/structures.yaml"
    shell:
        "python -m bornflow.structures.join_pools --structures {input:q} --out {output:q} &> {log:q}"


rule label:
    input:
        structures=f"{RESULTS}/structures/selected.extxyz",
        models=LABELLING_MODELS,
        config=f"{RESULTS}/settings/labels.yaml",
    output:
        labelled=f"{RESULTS}/labels/batches/{{batch}}.extxyz",
        rejected=f"{RESULTS}/labels/batches/{{batch}}.csv",
    log:
        f"{RESULTS}/logs/labels/batch-{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/label-{{batch}}.tsv"
    conda:
        "../../envs/cp2k.yaml" if SETTINGS["labels"]["engine"] != "model" else "../../envs/jax.yaml"
    threads: LABEL_THREADS
    resources:
        mem_mb=label_memory,
        runtime=720,
    shell:
        "NPROC={threads} python -m bornflow.labels.label --structures {input.structures:q} --batch {wildcards.batch:q}"
        " --config {input.config:q} --threads {threads} --allow-empty"
        " --out {output.labelled:q} --rejected {output.rejected:q} &> {log:q}"


# A separate rule: this table remains if `join_batches` fails because too many structures were rejected.
rule rejections:
    input:
        expand(f"{RESULTS}/labels/batches/{{batch}}.csv", batch=BATCHES),
        expand(f"{RESULTS}/labels/relaxed/{{structure}}.csv", structure=RELAXED),
    output:
        f"{RESULTS}/labels/rejected.csv",
    log:
        f"{RESULTS}/logs/labels/rejections.log",
    localrule: True
    conda:
        "../../envs/cp2k.yaml"
    shell:
        "python -m bornflow.io.rejections --tables {input:q} --out {output:q} &> {log:q}"


rule join_batches:
    input:
        labelled=expand(f"{RESULTS}/labels/batches/{{batch}}.extxyz", batch=BATCHES),
        rejected=f"{RESULTS}/labels/rejected.csv",
        config=f"{RESULTS}/settings/join_batches.yaml",
    output:
        LABELLED,
    log:
        f"{RESULTS}/logs/labels/join_batches.log",
    localrule: True
    conda:
        "../../envs/cp2k.yaml"
    shell:
        "python -m bornflow.labels.join_batches --labelled {input.labelled:q} --rejected {input.rejected:q}"
        " --config {input.config:q} --out {output:q} &> {log:q}"


rule label_study:
    input:
        data=lookup(dpath="labels/studies/{study}/data", within=SETTINGS),
        config=f"{RESULTS}/settings/study-{{study}}.yaml",
    output:
        f"{RESULTS}/labels/studies/{{study}}.csv",
    log:
        f"{RESULTS}/logs/labels/study-{{study}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/study-{{study}}.tsv"
    conda:
        "../../envs/cp2k.yaml"
    threads: SETTINGS["labels"]["threads"]
    resources:
        mem_mb=study_memory,
        runtime=1440,
    shell:
        "python -m bornflow.labels.study --study {wildcards.study:q} --config {input.config:q}"
        " --threads {threads} --out {output:q} &> {log:q}"


rule linear_response:
    input:
        structures=SHIPPED,
        config=f"{RESULTS}/settings/labels.yaml",
    output:
        f"{RESULTS}/labels/studies/linear_response.csv",
    log:
        f"{RESULTS}/logs/labels/linear_response.log",
    benchmark:
        f"{RESULTS}/benchmarks/linear_response.tsv"
    conda:
        "../../envs/cp2k.yaml"
    threads: SETTINGS["labels"]["threads"]
    resources:
        mem_mb=label_memory,
        runtime=720,
    params:
        names=SETTINGS["labels"]["linear_response"],
    shell:
        "python -m bornflow.labels.linear_response --structures {input.structures:q} --names {params.names:q}"
        " --config {input.config:q} --threads {threads} --out {output:q} &> {log:q}"


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
        mem_mb=label_memory,
    shell:
        "python -m bornflow.labels.check --shipped {input.shipped:q} --config {input.config:q}"
        " --threads {threads} --out {output:q} &> {log:q}"
