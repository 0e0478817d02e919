# One model for each variant and seed, its predictions and its errors on the validation set.
DATA = [LABELLED if path == "computed" else path for path in SETTINGS["training"]["data"]]
PUBLISHED_PHYSICAL = [name for name in PUBLISHED if MODELS[name]["backbone"] == "physical"]
ERRORS = f"{RESULTS}/training/errors.csv"
COMPARISON = f"{RESULTS}/training/comparison.csv"
METRICS = f"{RESULTS}/training/evaluation/{{model}}-{{seed}}.json"
PREDICTIONS = f"{RESULTS}/training/evaluation/{{model}}-{{seed}}.extxyz"
# A model's folder.
MODEL_FILES = {
    "config": "config.yaml",
    "parameters": "parameters.msgpack",
    "metrics": "metrics.json",
    "history": "history.csv",
    "validation": "validation.csv",
}


rule split:
    input:
        labels=DATA,
        validation=SETTINGS["training"]["validation"],
        config=f"{RESULTS}/settings/split.yaml",
    output:
        train=f"{RESULTS}/training/train.extxyz",
        valid=f"{RESULTS}/training/valid.extxyz",
    log:
        f"{RESULTS}/logs/training/split.log",
    localrule: True
    conda:
        "../../envs/jax.yaml"
    shell:
        "python -m bornflow.training.split --labels {input.labels:q} --validation {input.validation:q}"
        " --config {input.config:q} --train {output.train:q} --valid {output.valid:q} &> {log:q}"


rule train:
    input:
        train=f"{RESULTS}/training/train.extxyz",
        valid=f"{RESULTS}/training/valid.extxyz",
        pretraining=SETTINGS["training"]["pretraining"],
        config=f"{RESULTS}/settings/model-{{model}}.yaml",
    output:
        multiext(f"{RESULTS}/models/{{model}}/{{seed}}/", **MODEL_FILES),
    log:
        f"{RESULTS}/logs/training/model-{{model}}-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train-{{model}}-{{seed}}.tsv"
    wildcard_constraints:
        model="|".join(name for name in MODELS if name not in PUBLISHED) or "none",
    priority: 1  # dynamics waits for it
    conda:
        "../../envs/jax.yaml"
    threads: SETTINGS["training"]["threads"]
    resources:
        mem_mb=4000,
        runtime=1440,
    params:
        folder=subpath(output.config, parent=True),
        limit="",  # not quoted: an option and digits, or empty
    shell:
        "NPROC={threads} python -m bornflow.training.train --train {input.train:q}"
        " --valid {input.valid:q} --pretrain {input.pretraining:q} --model {wildcards.model:q}"
        " --seed {wildcards.seed:q} {params.limit} --config {input.config:q} --out {params.folder:q} &> {log:q}"


# A published model in place of a trained one.
rule import_model:
    input:
        train=f"{RESULTS}/training/train.extxyz",
        valid=f"{RESULTS}/training/valid.extxyz",
        published=lookup(dpath="{model}", within=PUBLISHED),
        config=f"{RESULTS}/settings/model-{{model}}.yaml",
    output:
        multiext(f"{RESULTS}/models/{{model}}/{{seed}}/", **MODEL_FILES),
    log:
        f"{RESULTS}/logs/training/import-{{model}}-{{seed}}.log",
    wildcard_constraints:
        model="|".join(PUBLISHED) or "none",
    conda:
        "../../envs/jax.yaml"
    resources:
        mem_mb=4000,
    params:
        folder=subpath(output.config, parent=True),
    shell:
        "NPROC={threads} python -m bornflow.training.imported --train {input.train:q} --valid {input.valid:q}"
        " --model {wildcards.model:q} --config {input.config:q} --out {params.folder:q} &> {log:q}"


# Forces of published models as their own code returns them.
rule published_forces:
    input:
        models=expand(f"{RESULTS}/models/{{model}}/0/config.yaml", model=PUBLISHED_PHYSICAL),
        data=expand(f"{RESULTS}/training/{{subset}}.extxyz", subset=["train", "valid"]),
        config=f"{RESULTS}/settings/split.yaml",
    output:
        f"{RESULTS}/training/published_forces.csv",
    log:
        f"{RESULTS}/logs/training/published_forces.log",
    conda:
        "../../envs/jax.yaml"
    resources:
        mem_mb=4000,
    params:
        folders=[f"{RESULTS}/models/{model}/0" for model in PUBLISHED_PHYSICAL],
    shell:
        "NPROC={threads} python -m bornflow.training.published_forces --checkpoints {params.folders:q}"
        " --data {input.data:q} --config {input.config:q} --out {output:q} &> {log:q}"


# Learning curves: models trained on fewer structures.
CURVE = SETTINGS["training"]["learning_curve"]
CURVE_MODELS = CURVE["models"] or list(MODELS)
CURVE_SIZES = CURVE["sizes"]


use rule train as train_on_fewer with:
    output:
        multiext(f"{RESULTS}/training/learning/{{model}}-{{seed}}-{{size}}/", **MODEL_FILES),
    log:
        f"{RESULTS}/logs/training/learning-{{model}}-{{seed}}-{{size}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/learning-{{model}}-{{seed}}-{{size}}.tsv"
    params:
        folder=subpath(output.config, parent=True),
        limit="--limit {size}",


rule learning_table:
    input:
        expand(
            f"{RESULTS}/training/learning/{{model}}-{{seed}}-{{size}}/metrics.json",
            model=CURVE_MODELS,
            seed=SEEDS,
            size=CURVE_SIZES,
        ),
        expand(f"{RESULTS}/models/{{model}}/{{seed}}/metrics.json", model=CURVE_MODELS, seed=SEEDS),
    output:
        f"{RESULTS}/training/learning_curve.csv",
    log:
        f"{RESULTS}/logs/training/learning_curve.log",
    conda:
        "../../envs/analysis.yaml"
    shell:
        "python -m bornflow.training.learning_curve --metrics {input:q} --out {output:q} &> {log:q}"


# Recipes: models trained with other settings.
use rule train as train_by_recipe with:
    input:
        train=f"{RESULTS}/training/train.extxyz",
        valid=f"{RESULTS}/training/valid.extxyz",
        pretraining=pretraining_of_recipe,
        config=f"{RESULTS}/settings/recipe-{{recipe}}.{{model}}.yaml",
    output:
        multiext(f"{RESULTS}/training/recipes/{{recipe}}/{{model}}/{{seed}}/", **MODEL_FILES),
    log:
        f"{RESULTS}/logs/training/recipes/{{recipe}}/{{model}}-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/recipes/{{recipe}}/{{model}}-{{seed}}.tsv"


rule recipes_table:
    input:
        expand(f"{RESULTS}/models/{{model}}/{{seed}}/metrics.json", model=MODELS, seed=SEEDS),
        expand(
            f"{RESULTS}/training/recipes/{{recipe}}/{{model}}/{{seed}}/metrics.json",
            recipe=RECIPES,
            model=MODELS,
            seed=SEEDS,
        ),
    output:
        f"{RESULTS}/training/recipes.csv",
    log:
        f"{RESULTS}/logs/training/recipes.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        names=[name for name in ["as configured", *RECIPES] for _ in range(len(MODELS) * len(SEEDS))],
    shell:
        "python -m bornflow.training.recipes --names {params.names:q} --metrics {input:q}"
        " --out {output:q} &> {log:q}"


rule evaluate:
    input:
        model=f"{RESULTS}/models/{{model}}/{{seed}}/config.yaml",
        parameters=f"{RESULTS}/models/{{model}}/{{seed}}/parameters.msgpack",
        fitted=f"{RESULTS}/models/{{model}}/{{seed}}/metrics.json",
        valid=f"{RESULTS}/training/valid.extxyz",
        config=f"{RESULTS}/settings/split.yaml",
    output:
        metrics=METRICS,
        predictions=PREDICTIONS,
    log:
        f"{RESULTS}/logs/training/evaluate-{{model}}-{{seed}}.log",
    conda:
        "../../envs/jax.yaml"
    resources:
        mem_mb=4000,
    params:
        folder=subpath(input.model, parent=True),
    shell:
        "NPROC={threads} python -m bornflow.training.evaluate --checkpoint {params.folder:q}"
        " --data {input.valid:q} --config {input.config:q} --out {output.metrics:q}"
        " --predictions {output.predictions:q} &> {log:q}"


# Predictions for the training and the validation set, including structures without labels.
rule predict:
    input:
        model=f"{RESULTS}/models/{{model}}/{{seed}}/config.yaml",
        parameters=f"{RESULTS}/models/{{model}}/{{seed}}/parameters.msgpack",
        structures=expand(f"{RESULTS}/training/{{subset}}.extxyz", subset=["train", "valid"]),
    output:
        f"{RESULTS}/training/predictions/{{model}}-{{seed}}.extxyz",
    log:
        f"{RESULTS}/logs/training/predict-{{model}}-{{seed}}.log",
    conda:
        "../../envs/jax.yaml"
    resources:
        mem_mb=4000,
    params:
        folder=subpath(input.model, parent=True),
    shell:
        "NPROC={threads} python -m bornflow.inference.predict --checkpoint {params.folder:q}"
        " --structures {input.structures:q} --out {output:q} &> {log:q}"


rule metrics_table:
    input:
        expand(METRICS, model=MODELS, seed=SEEDS),
    output:
        ERRORS,
    log:
        f"{RESULTS}/logs/training/errors.log",
    conda:
        "../../envs/analysis.yaml"
    shell:
        "python -m bornflow.training.metrics_table --metrics {input:q} --out {output:q} &> {log:q}"


rule comparison:
    input:
        errors=ERRORS,
        valid=f"{RESULTS}/training/valid.extxyz",
        published="resources/published/errors.csv",
    output:
        COMPARISON,
    log:
        f"{RESULTS}/logs/training/comparison.log",
    conda:
        "../../envs/analysis.yaml"
    shell:
        "python -m bornflow.training.comparison --errors {input.errors:q} --published {input.published:q}"
        " --data {input.valid:q} --out {output:q} &> {log:q}"


# Several seeds of a model are a committee, whose spread is calibrated on the validation set.
rule committee:
    input:
        labels=f"{RESULTS}/training/valid.extxyz",
        predictions=expand(PREDICTIONS, seed=SEEDS, allow_missing=True),
    output:
        f"{RESULTS}/training/committee/{{model}}.json",
    log:
        f"{RESULTS}/logs/training/committee-{{model}}.log",
    conda:
        "../../envs/analysis.yaml"
    shell:
        "python -m bornflow.training.committee --labels {input.labels:q} --predictions {input.predictions:q}"
        " --out {output:q} &> {log:q}"


rule training_timing:
    input:
        config=f"{RESULTS}/settings/timing.yaml",
    output:
        f"{RESULTS}/training/timing.csv",
    log:
        f"{RESULTS}/logs/training/timing.log",
    conda:
        "../../envs/jax.yaml"
    threads: ALL_CORES
    resources:
        mem_mb=16000,
        runtime=120,
    params:
        models=list(MODELS),
        peers=[name for name in SETTINGS["dynamics"]["timing"]["peers"] if name == "lorem-jax"],
        seconds=SETTINGS["dynamics"]["timing"]["seconds"],
    shell:
        "python -m bornflow.benchmarks.training --models {params.models:q} --peers {params.peers:q}"
        " --config {input.config:q} --seconds {params.seconds:q} --out {output:q} &> {log:q}"
