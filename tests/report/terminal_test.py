"""What a run says at its end on a terminal."""

import fabricated_run
import pytest

from qm_vae.report import terminal


def test_terminal_lines_have_every_rate_with_its_interval():
  """Loss rate, judge and privacy each come with a 95 % interval and n, out of the report."""
  report = fabricated_run.report()
  loss, judge, privacy = terminal.lines(report)
  rate = report["methods"][-1]["loss_rate"]
  assert loss.startswith("Loss rate: 14 % (95 % CI ") and f"n = {rate['n']})" in loss
  assert (
    judge.startswith("Judge small_cnn: disagrees with the service's answer on the original on 31 % (95 % CI ")
    and "and on 24 %" in judge
  )
  assert privacy.startswith("Privacy: The strongest attacker, ") and "Chance is" in privacy


def test_terminal_lines_say_void_first():
  """A run whose controls failed says so before any number."""
  report = fabricated_run.report()
  report["controls"]["void"] = True
  assert terminal.lines(report)[0].startswith("VOID")


@pytest.mark.parametrize("missing", ["privacy", "judges", "loss_rate"])
def test_terminal_lines_leave_out_what_was_not_measured(missing):
  """What was not measured is not made up; privacy's absence is said, with its reason."""
  report = fabricated_run.report()
  if missing == "privacy":
    report |= {"privacy": None, "not_measured": {"privacy": "nobody is known"}}
    assert terminal.lines(report)[-1] == "Privacy: not measured; nobody is known."
  elif missing == "judges":
    report |= {"judges": [], "gap": None}
    for method in report["methods"]:
      method["judges"] = []
    assert not any(line.startswith("Judge") for line in terminal.lines(report))
  else:
    report["methods"] = []
    assert not any(line.startswith("Loss rate") for line in terminal.lines(report))
