"""Jobs of Slurm that can never start are named; those that wait for others are not."""

from pathlib import Path

from bornflow.queue_watch import stuck_jobs

PRINTED = """\
39|/work/here|rule_train_wildcards_physical-local|PartitionConfig
40|/work/here|rule_md|Resources
41|/work/elsewhere|rule_md|PartitionTimeLimit
42|/work/here|(null)|Priority
43|/work/here|rule_label_wildcards_0|QOSMaxMemoryPerJob
"""


def test_only_lasting_reasons_of_this_folder_are_reported():
    found = stuck_jobs(PRINTED, Path("/work/here"))
    assert list(found) == ["39", "43"]
    assert "Slurm job 39 (rule_train_wildcards_physical-local) cannot start: PartitionConfig." in found["39"]
    assert "scancel 39" in found["39"]
