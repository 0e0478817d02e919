# Susceptibilities from the currents, averaged over replicas.
SPECTRA = expand(
    f"{RESULTS}/spectra/{{system}}/{{model}}-{{seed}}.csv",
    system=SYSTEMS,
    model=MODELS,
    seed=SEEDS,
)


rule susceptibility:
    input:
        runs=replicas,
        config=f"{RESULTS}/settings/spectra.yaml",
    output:
        f"{RESULTS}/spectra/{{system}}/{{model}}-{{seed}}.csv",
    log:
        f"{RESULTS}/logs/spectra/{{system}}-{{model}}-{{seed}}.log",
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m bornflow.spectra.susceptibility --runs {input.runs} --config {input.config}"
        " --out {output} &> {log}"
