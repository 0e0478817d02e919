"""The learning rate over time, and when training has converged."""

import numpy as np

from bornflow.training.schedule import has_plateaued


def test_a_plateau_is_a_nearly_constant_loss():
    falling = np.exp(-np.arange(200) / 30) + 0.1
    ends = [n for n in range(1, 200) if has_plateaued(falling[:n], 10, 0.05)]
    assert ends == list(range(ends[0], 200)) and 100 < ends[0] < 160
    assert not has_plateaued(falling, 0, 0.05), "no patience, no end"
    assert not has_plateaued(np.ones(19), 10, 0.05), "too early to tell"
