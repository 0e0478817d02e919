# The parts of the configuration that jobs read, each a file of its own.


def settings_of(wildcards):
    """The part of the configuration that one kind of job reads, so that no other change reruns it."""
    kind, _, name = wildcards.part.partition("-")
    if kind == "structures":
        part = {kind: without(SETTINGS[kind], "pools", "seed")}
    elif kind == "labels":
        part = {kind: without(SETTINGS[kind], "threads", "max_refused", "studies", "linear_response")}
    elif kind == "gather":
        part = {"labels": {"max_refused": SETTINGS["labels"]["max_refused"]}}
    elif kind == "study":
        kept = without(SETTINGS["labels"], "threads", "max_refused", "linear_response")
        part = {"labels": {**kept, "studies": {name: SETTINGS["labels"]["studies"][name]}}}
    elif kind == "spectra":
        part = {kind: SETTINGS[kind]}
    elif kind == "pool":
        part = {
            "structures": {
                "seed": SETTINGS["structures"]["seed"],
                "pools": {name: without(POOLS[name], "select")},
            }
        }
        part["structures"]["pools"][name]["select"] = 1
    elif kind == "split":
        kept = ("keys", "train_fraction", "split_seed")
        part = {"training": {key: SETTINGS["training"][key] for key in kept}}
    elif kind == "model":
        part = {
            "training": without(
                SETTINGS["training"],
                "data",
                "pretraining",
                "seeds",
                "threads",
                "learning_curve",
                "train_fraction",
                "split_seed",
            ),
            "models": {name: MODELS[name]},
        }
    elif kind == "response":
        part = {"dynamics": {key: SETTINGS["dynamics"][key] for key in ("dtype", "response")}}
    elif kind == "timing":
        part = {"models": MODELS}
    else:
        system = without(SYSTEMS[name], "replicas", "title", "experiment")
        part = {
            "dynamics": {**without(SETTINGS["dynamics"], "timing", "response"), "systems": {name: system}}
        }
    return json.dumps(part, sort_keys=True)


rule settings:
    output:
        f"{RESULTS}/settings/{{part}}.yaml",
    log:
        f"{RESULTS}/logs/settings/{{part}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=200,
        runtime=5,
    params:
        values=settings_of,
    shell:
        "python -m bornflow.settings --json {params.values:q} --out {output} &> {log}"
