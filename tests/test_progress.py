"""Progress in a log: rates and the time left, without the preparation."""

import logging

from bornflow import progress


def test_the_preparation_does_not_count(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.Meter("training", 11, "epochs") as meter:
        meter.prepare("the first epoch compiles")
        now[0] = 100.0
        meter.advance()
        meter.start_clock("including compilation")
        for _ in range(5):
            now[0] += 3
            meter.advance()
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0] == "training: the first epoch compiles"
    assert "training: 1/11 epochs after 100 s, including compilation" in messages
    assert messages[-1] == "training: 6/11 epochs, 0.333 epochs/s, 15 s elapsed, 15 s left"


def test_without_a_step_the_time_left_is_not_known(caplog):
    caplog.set_level(logging.INFO)
    with progress.Meter("work", 3):
        pass
    assert caplog.records[-1].getMessage().endswith("time left not known")
