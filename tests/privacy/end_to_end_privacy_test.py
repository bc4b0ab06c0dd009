"""Faces that no detector found count as recognised."""

import pytest

from qm_vae import types
from qm_vae.faces import source_crops
from qm_vae.privacy import end_to_end

RATE = {"value": 0.1, "low": 0.05, "high": 0.2, "n": 50}


def test_end_to_end_counts_missed_faces_as_recognised():
  """A quarter shown in clear and a tenth of the rest recognised make 0.25 + 0.75 * 0.1."""
  missed = [types.Missed(f"{i}", source_crops.NO_FACE) for i in range(5)] + [types.Missed("x", "not an image")]
  report = {"methods": [{"kind": "control"}, {"kind": "model", "headline": {"rank_1": RATE}}]}
  end_to_end.add(report, missed, 15)
  shown, found = report["shown_in_clear"], report["methods"][1]["end_to_end"]
  assert (shown["value"], shown["n"]) == (0.25, 20) and found["value"] == pytest.approx(0.325, abs=1e-12)
  assert found["low"] == pytest.approx(shown["low"] + (1 - shown["low"]) * 0.05) and found["high"] < 1
  assert "end_to_end" not in report["methods"][0]


def test_end_to_end_without_a_missed_face_is_the_rate_itself():
  """Where every face was found the rate stays, and its interval can only widen."""
  shown = end_to_end.shown_in_clear([], 100)
  found = end_to_end.rank_1(RATE, shown)
  assert found["value"] == RATE["value"] and found["low"] == RATE["low"] and found["high"] > RATE["high"]
