"""What the figures draw is what the report says."""

import doctest
import math

import fabricated_run
import numpy as np
import pytest

from qm_vae.report import drawing, published, tables
from qm_vae.report.figures import curves, images, probabilities, rates


@pytest.mark.parametrize("module", [drawing, tables])
def test_figures_doctests(module):
  """Doctests."""
  result = doctest.testmod(module)
  assert result.attempted and not result.failed


def points(axes, marker):
  return [(x, y) for line in axes.lines if line.get_marker() == marker for x, y in line.get_xydata()]


def test_figures_loss_rates_paper_values():
  """Loss rates and paper values."""
  report = fabricated_run.report()
  axes = rates.loss_rates(report).axes[0]
  assert [x for x, _ in points(axes, "o")] == [m["loss_rate"]["value"] for m in report["methods"]]
  names = [m["name"] for m in report["methods"]]
  expected = [(published.LOSS_RATES[name], row) for row, name in enumerate(names) if name in published.LOSS_RATES]
  assert points(axes, "D") == expected
  bars = [c.get_segments()[0][:, 0] for c in axes.collections if hasattr(c, "get_segments")]
  rate = report["methods"][-1]["loss_rate"]
  # The ends are value -/+ a difference of doubles near 1: a few units in the last place.
  assert any(np.allclose(bar, (rate["low"], rate["high"]), rtol=0, atol=1e-15) for bar in bars)


def test_figures_per_expression_keeps_empty_row():
  """Per expression keeps the empty row."""
  axes = rates.per_expression(fabricated_run.report()).axes[0]
  labels = [text.get_text() for text in axes.get_yticklabels()]
  assert "disgust  (n = 0)" in labels and len(labels) == 7
  assert sum(math.isnan(x) for x, _ in points(axes, "o")) == 1


def test_figures_curve_draws_service_judges_paper():
  """Curve draws service judges and paper."""
  report = fabricated_run.report()
  axes = curves.loss_rate_over_epochs(report).axes[0]
  lines = {line.get_label(): line.get_ydata() for line in axes.lines}
  np.testing.assert_array_equal(lines["service (in the loss)"], [p["loss_rate"] for p in report["curve"]])
  assert math.isnan(lines["judge vgg_like (never in a loss)"][0])
  assert any(set(line.get_ydata()) == {published.HEADLINE} for line in axes.lines)
  assert "paper 0.14" in [text.get_text() for text in axes.texts]


def test_figures_curve_one_epoch_without_mse():
  """Curve of one epoch without mse or judges."""
  figure = curves.loss_rate_over_epochs({"curve": [{"epoch": 1, "loss_rate": 0.5}]})
  assert len(figure.axes) == 1 and drawing.png(figure)


def test_figures_scatter_tells_kept_lost():
  """Scatter tells kept from lost."""
  before, after = np.eye(3)[[0, 1, 2, 0]], np.eye(3)[[0, 1, 0, 0]]
  figure = probabilities.probability_scatter(["a", "b", "c"], before, after)
  assert len(figure.axes) == 3
  assert [text.get_text() for text in figure.legends[0].get_texts()] == ["answer kept (3)", "answer lost (1)"]
  np.testing.assert_array_equal(points(figure.axes[2], "x"), [(1, 0)])


def test_figures_probability_differences():
  """Probability differences."""
  message = {"classes": ["a", "b"], "mean_difference": [0.1, None], "std_difference": [0.2, None]}
  axes = probabilities.probability_differences(message).axes[0]
  assert points(axes, "o")[0] == (0, 0.1)
  assert probabilities.probability_differences(None) is None


def test_figures_case_needs_all_pictures_takes():
  """Case needs all its pictures and takes any number of views."""
  arrays = fabricated_run.arrays()
  for count in (1, 4):
    figure = images.case({}, {**arrays, "case_views": arrays["case_views"][:count]})
    titles = [axes.get_title() for part in figure.subfigs for axes in part.axes]
    assert titles[:4] == ["1  frame, face found", "5  frame given back", "2  crop", "3  view 1"]
    assert len(titles) == 4 + count
  del arrays["case_pasted"]
  assert images.case({}, arrays) is None


def test_figures_captions():
  """Captions."""
  example = {"service_answer_original": "happy", "service_answer_output": "sad", "answers": {"mosaic": "happy"}}
  message = images.captions(example, ["mosaic", "laplace", "qm_vae"])
  assert message == [("happy", False), ("happy", False), (None, False), ("sad", True)]
  assert images.captions({}, ["qm_vae"]) == [(None, False), (None, False)]


def test_figures_complement_turns_interval_round():
  """Complement turns the interval round."""
  turned = tables.complement({"value": 0.75, "low": 0.625, "high": 0.8125, "n": 8, "method": "Wilson"})
  assert turned == {"value": 0.25, "low": 0.1875, "high": 0.375, "n": 8, "method": "Wilson"}
  assert tables.complement({"value": 0.75}) == {"value": 0.25, "low": None, "high": None}
  assert tables.complement(None) is None and tables.complement({"value": None, "n": 0}) is None


def test_figures_interval_not_measured():
  """Interval of what was not measured."""
  assert all(math.isnan(part) for part in drawing.interval(None)[:1])
  assert drawing.interval({"value": 0.5}) == (0.5, 0.0, 0.0)
  assert drawing.interval({"value": 0.5, "low": 0.25, "high": 1.0}) == (0.5, 0.25, 0.5)
