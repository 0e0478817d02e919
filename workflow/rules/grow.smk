# Rounds of growth (`grow` in the configuration). Each samples pools with the models of the round before, labels
# the structures that these disagree about most, and trains new models. Its files are in RESULTS/grow/ROUND.
ROUND = f"{RESULTS}/grow/{{round}}"
ROUND_NUMBERS = range(1, SETTINGS["grow"]["rounds"] + 1)
GROWING = SETTINGS["grow"]["pools"] if ROUND_NUMBERS else []
BY_GROUP = SETTINGS["training"]["split_by"] == "group"
GROWN_MODEL = SETTINGS["grow"].get("model", "none")
GROWN_TOTAL = sum(pool["most_selected"] for pool in ROUNDS["1"]["pools"].values()) if ROUNDS else 0
GROWN_BATCHES = range(-(-GROWN_TOTAL // SETTINGS["labels"]["batch_size"]))
GROWN = expand(f"{RESULTS}/grow/{{round}}/sampled.csv", round=ROUND_NUMBERS)
GROWN += [f"{RESULTS}/grow/errors.csv", *figure_files("growth").values()] if ROUNDS else []


use rule sample as sample_in_round with:
    input:
        config=f"{RESULTS}/settings/round-{{round}}.{{structure}}.yaml",
        files=lookup(dpath="{round}/pools/{structure}/sources", within=ROUNDS),
        models=lookup(dpath="{round}/pools/{structure}/sampler", within=ROUNDS),
    output:
        candidates=f"{ROUND}/starts/{{structure}}/{{start}}.extxyz",
        left_out=f"{ROUND}/starts/{{structure}}/{{start}}.csv",
    log:
        f"{RESULTS}/logs/grow/{{round}}/sample-{{structure}}-{{start}}.log",
    params:
        pool="{structure}-round-{round}",


use rule pool as pool_in_round with:
    input:
        lookup(dpath="{round}/pools/{structure}/starts", within=ROUNDS),
    output:
        f"{ROUND}/pools/{{structure}}.extxyz",
    log:
        f"{RESULTS}/logs/grow/{{round}}/pool-{{structure}}.log",


use rule uncertain as uncertain_in_round with:
    input:
        pool=f"{ROUND}/pools/{{structure}}.extxyz",
        models=lookup(dpath="{round}/pools/{structure}/committee", within=ROUNDS),
        held_out=[f"{RESULTS}/training/valid.extxyz"] if BY_GROUP else [],
    output:
        pool=f"{ROUND}/uncertain/{{structure}}.extxyz",
    log:
        f"{RESULTS}/logs/grow/{{round}}/uncertain-{{structure}}.log",
    params:
        committee=lookup(dpath="{round}/models", within=ROUNDS),
        keep=lookup(dpath="{round}/pools/{structure}/most_selected", within=ROUNDS),


use rule select as select_in_round with:
    input:
        pool=f"{ROUND}/uncertain/{{structure}}.extxyz",
        known=lookup(dpath="{round}/known", within=ROUNDS),
        models=lookup(dpath="{round}/pools/{structure}/descriptor", within=ROUNDS),
        config=f"{RESULTS}/settings/round-{{round}}.yaml",
    output:
        selected=f"{ROUND}/selected/{{structure}}.extxyz",
        map=f"{ROUND}/selected/{{structure}}-map.csv",
        coverage=f"{ROUND}/selected/{{structure}}-coverage.csv",
    log:
        f"{RESULTS}/logs/grow/{{round}}/select-{{structure}}.log",


use rule sampled as sampled_in_round with:
    input:
        left_out=lookup(dpath="{round}/left_out", within=ROUNDS),
        candidates=expand(f"{ROUND}/pools/{{structure}}.extxyz", structure=GROWING, allow_missing=True),
        selected=expand(f"{ROUND}/selected/{{structure}}.extxyz", structure=GROWING, allow_missing=True),
    output:
        f"{ROUND}/sampled.csv",
    log:
        f"{RESULTS}/logs/grow/{{round}}/sampled.log",


use rule join_pools as join_pools_in_round with:
    input:
        expand(f"{ROUND}/selected/{{structure}}.extxyz", structure=GROWING, allow_missing=True),
    output:
        f"{ROUND}/selected.extxyz",
    log:
        f"{RESULTS}/logs/grow/{{round}}/join_pools.log",


use rule label as label_in_round with:
    input:
        structures=f"{ROUND}/selected.extxyz",
        models=LABELLING_MODELS,
        config=f"{RESULTS}/settings/labels.yaml",
    output:
        labelled=f"{ROUND}/batches/{{batch}}.extxyz",
        rejected=f"{ROUND}/batches/{{batch}}.csv",
    log:
        f"{RESULTS}/logs/grow/{{round}}/batch-{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/grow-{{round}}-label-{{batch}}.tsv"


use rule rejections as rejections_in_round with:
    input:
        expand(f"{ROUND}/batches/{{batch}}.csv", batch=GROWN_BATCHES, allow_missing=True),
    output:
        f"{ROUND}/rejected.csv",
    log:
        f"{RESULTS}/logs/grow/{{round}}/rejections.log",


use rule join_batches as join_batches_in_round with:
    input:
        labelled=expand(f"{ROUND}/batches/{{batch}}.extxyz", batch=GROWN_BATCHES, allow_missing=True),
        rejected=f"{ROUND}/rejected.csv",
        config=f"{RESULTS}/settings/join_batches.yaml",
    output:
        f"{ROUND}/labels.extxyz",
    log:
        f"{RESULTS}/logs/grow/{{round}}/join_batches.log",


# The training set of the round before with the new labels. All rounds have the same validation set.
use rule split as split_in_round with:
    input:
        labels=lookup(dpath="{round}/labels", within=ROUNDS),
        validation=f"{RESULTS}/training/valid.extxyz",
        config=f"{RESULTS}/settings/split.yaml",
    output:
        train=f"{ROUND}/train.extxyz",
        valid=f"{ROUND}/valid.extxyz",
    log:
        f"{RESULTS}/logs/grow/{{round}}/split.log",


use rule train as train_in_round with:
    input:
        train=f"{ROUND}/train.extxyz",
        valid=f"{ROUND}/valid.extxyz",
        pretraining=SETTINGS["training"]["pretraining"],
        config=f"{RESULTS}/settings/model-{{model}}.yaml",
    output:
        multiext(f"{ROUND}/models/{{model}}/{{seed}}/", **MODEL_FILES),
    log:
        f"{RESULTS}/logs/grow/{{round}}/model-{{model}}-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/grow-{{round}}-train-{{model}}-{{seed}}.tsv"


rule growth_table:
    input:
        expand(f"{RESULTS}/models/{GROWN_MODEL}/{{seed}}/metrics.json", seed=SEEDS),
        expand(
            f"{ROUND}/models/{GROWN_MODEL}/{{seed}}/metrics.json",
            round=ROUND_NUMBERS,
            seed=SEEDS,
        ),
    output:
        f"{RESULTS}/grow/errors.csv",
    log:
        f"{RESULTS}/logs/grow/errors.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        rounds=[number for number in (0, *ROUND_NUMBERS) for _ in SEEDS],
    shell:
        "python -m bornflow.training.growth --metrics {input:q} --rounds {params.rounds:q}"
        " --out {output:q} &> {log:q}"
