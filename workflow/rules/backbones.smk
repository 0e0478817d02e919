# The models of a backbone, and the files that figures of them read.


def of_backbone(backbone):
    """The models of one backbone."""
    return [name for name, variant in MODELS.items() if variant["backbone"] == backbone]


def backbone_predictions(wildcards):
    """Predictions for the structures held out by the models of one backbone, all seeds."""
    files = f"{RESULTS}/training/evaluation/{{model}}-{{seed}}.extxyz"
    return expand(files, model=of_backbone(wildcards.backbone), seed=SEEDS)


def coupled(backbone):
    """The models of a backbone whose Born effective charges follow from their charges."""
    return [name for name in of_backbone(backbone) if MODELS[name]["charges"] != "uncoupled"]


def each_seed(models):
    """Names of models for files of all seeds, one after the other."""
    return [model for model in models for _ in SEEDS]


def spectra_of(models):
    """The spectra of some models, system by system."""
    files = f"{RESULTS}/spectra/{{system}}/{{model}}-{{seed}}.csv"
    return expand(files, system=SYSTEMS, model=models, seed=SEEDS)


def names_for_backbone(wildcards):
    """Names of a backbone's models, once for each seed."""
    return each_seed(of_backbone(wildcards.backbone))


def names_of_coupled(wildcards):
    """The same of its coupled models."""
    return each_seed(coupled(wildcards.backbone))


def spectra_for_backbone(wildcards):
    """The spectra of a backbone's models."""
    return spectra_of(of_backbone(wildcards.backbone))


def spectra_of_coupled(wildcards):
    """The same of its coupled models."""
    return spectra_of(coupled(wildcards.backbone))


def velocities_for_backbone(wildcards):
    """Power spectra of velocities by a backbone's first model, of every system."""
    first = f"{of_backbone(wildcards.backbone)[0]}-{SEEDS[0]}"
    return [f"{RESULTS}/spectra/{system}/velocities-{first}.csv" for system in SYSTEMS]
