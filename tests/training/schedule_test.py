"""Learning rates at chosen steps."""

import pytest

from qm_vae.training import schedule


def test_schedule_late_linear_falls_over_second():
  """Late linear falls over the second half."""
  rate = schedule.make("late_linear", 2.0, 100)
  assert [float(rate(step)) for step in (0, 49, 50)] == [2.0, 2.0, 2.0]
  assert float(rate(75)) == pytest.approx(1.0) and float(rate(100)) == 0.0
  warm = schedule.make("late_linear", 2.0, 110, warmup=10)
  assert float(warm(5)) == pytest.approx(1.0) and float(warm(85)) == pytest.approx(1.0)
  with pytest.raises(ValueError, match=r"'step'.*late_linear"):
    schedule.make("step", 1.0, 10)
