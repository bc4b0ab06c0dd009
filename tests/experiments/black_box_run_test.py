"""A black-box run from its config to its report."""

import pytest

from configs import smoke
from qm_vae.evaluate import evaluate
from qm_vae.experiments import run
from qm_vae.io.records import read_rows


@pytest.mark.slow
def test_black_box_run_trains_and_reports(tmp_path):
  """A QM-VAE trains against a function that is only asked, and its report has its rate and the questions it cost."""
  config = smoke.get_config()
  config.task = "black_box"
  config.epochs, config.data.limit = 1, 64
  config.cache_dir = str(tmp_path / "cache")
  config.qualities = ("expression",)
  config.quality.expression.source = "tests.support.answering:brightness"
  config.judges = {}
  config.privacy.attackers = ()
  run.run(config, tmp_path / "run")
  report = evaluate(tmp_path / "run", "the test")
  assert read_rows(tmp_path / "run")[-1]["split"] == "test"
  (row,) = [row for row in report["methods"] if row["name"] == "qm_vae"]
  assert 0 <= row["loss_rate"]["value"] <= 1
