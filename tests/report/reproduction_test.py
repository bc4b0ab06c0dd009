"""The paper's numbers beside those of made-up runs."""

import fabricated_run
import pytest

from qm_vae.report import beside_paper, published, reproduction
from qm_vae.report.figures import inputs


def _write(folder, report):
  folder.mkdir()
  fabricated_run.write(folder, report, fabricated_run.arrays())
  return folder


def _with_views(count):
  """A run that fuses `count` views."""
  report = fabricated_run.report()
  views = [one for one in report["methods"] if one["kind"] == "view"]
  extra = [{**views[0], "name": "amt_gan"}] if count > len(views) else []
  dropped = [one["name"] for one in views[count:]]
  report["methods"] = [one for one in [*extra, *report["methods"]] if one["name"] not in dropped]
  return report


def _found(reports, part, words=""):
  return [row for row in beside_paper.rows(reports) if row.part == part and words in row.what]


def test_reproduction_headline_beside_paper():
  """The paper's rate stands beside the run at its alpha and length alone; what is judged stands below."""
  report = fabricated_run.report()
  service, mean = _found([report], "Sec. 5.3", "40 epochs, service")[0], _found([report], "Sec. 5.3", "aligned mean")
  assert service.paper == published.HEADLINE == 0.14 and service.rate["value"] == 0.1375
  assert [row.rate["value"] for row in mean] == pytest.approx([0.16, 0.2, 0.25, 0.22])
  assert {row.paper for row in mean} == {None}
  originals = _found([report], "Sec. 5.3", "originals")
  assert [row.rate["value"] for row in originals] == pytest.approx([0.235, 0.28])  # 1 less the agreement
  assert _found([fabricated_run.report(epochs=20)], "Sec. 5.3", "20 epochs, service")[0].paper is None


def test_reproduction_curve_with_counts():
  """Rates read while training have Wilson's interval; one without a count of faces is left out."""
  report = fabricated_run.report()
  assert not _found([report], "Sec. 5.3", "after")
  for point in report["curve"]:
    point |= {"n": 200, "loss_rate": 0.25 if point["epoch"] != 33 else 0.12}
  (best,) = _found([report], "Sec. 5.3", "lowest of 40")
  assert "epoch 33" in best.what and best.rate["value"] == 0.12 and best.paper is None
  rows = _found([report], "Sec. 5.3", "after")
  assert [row.what.split("after ")[1] for row in rows] == ["10 epochs", "20 epochs", "30 epochs"]  # 40 is the last
  assert rows[0].rate["n"] == 200
  assert (rows[0].rate["low"], rows[0].rate["high"]) == pytest.approx((0.1950, 0.3143), abs=1e-4)  # Wilson 1927


def test_reproduction_tables_2_to_4():
  """Views with the paper's rates, expressions that were seen, and coefficients in the order of alpha."""
  reports = [fabricated_run.report(), fabricated_run.report(alpha=1.0, epochs=20)]
  reports[1]["config"]["alpha"] = 1.0
  assert [row.paper for row in _found(reports, "Table 2")] == [0.462, 0.207, 0.207, 0.465]
  assert len(_found(reports, "Table 3")) == 6  # of seven, one was never answered
  whats = [row.what for row in _found(reports, "Table 4", "service")]
  assert [what.split(",")[0] for what in whats] == ["coefficient 0.6 of the MSE", "coefficient 0 of the MSE"]
  assert [row.run for row in _found(reports, "Table 4", "service")] == [0, 1]
  judged = [row.what.rpartition(" ")[2] for row in _found(reports, "Table 4", "judge")]
  assert judged == ["small_cnn", "vgg_like"] * 2  # all of them in every line, whichever has the largest gap
  assert not _found(reports[:1], "Table 4")  # one coefficient is no table


def test_reproduction_recognised_in_every_crowd():
  """Whoever was attacked is in the table with the strongest attack of each gallery, QM-VAE and its inputs alike."""
  report = fabricated_run.report()
  rows = _found([report], "privacy", "QM-VAE")
  assert len(rows) == len(report["privacy"]["crowds"])
  ours = next(one for one in report["privacy"]["methods"] if one["name"] == "qm_vae")
  assert rows[-1].rate == ours["headline"]["rank_1"]


def test_reproduction_fig_12_needs_two_counts():
  """Fig. 12 has a point for every number of inputs, and is not drawn of one."""
  reports = [_with_views(count) for count in (3, 4, 5)]
  axes = inputs.loss_rate_by_inputs(reports).axes[0]
  shown = axes.containers[0].lines[0].get_xydata()
  assert [round(x) for x, _ in shown] == [3, 4, 5] and {y for _, y in shown} == {0.1375}
  assert inputs.loss_rate_by_inputs(reports[1:2] * 2) is None
  assert [row.what[:1] for row in _found(reports, "Fig. 12")] == ["3", "4", "5"]


def test_reproduction_page_commands_figures_void(tmp_path, capsys):
  """The page holds a row per measurement with its command, its figures, and names the void run without a number."""
  void = fabricated_run.report(seed=2)
  void["controls"]["void"] = True
  folders = [_write(tmp_path / "good", fabricated_run.report()), _write(tmp_path / "bad", void)]
  assert reproduction.main([*map(str, folders), f"--out={tmp_path / 'out'}"]) == 0
  text = (tmp_path / "out/reproduction.md").read_text()
  assert capsys.readouterr().out.strip().endswith("reproduction.md")
  table = [line.count("|") for line in text.splitlines() if line.startswith("|")]
  assert len(table) > 20 and set(table) == {7}
  assert "1. `python -m qm_vae.main" in text and "2. `" not in text
  assert f"left out: {tmp_path / 'bad'}" in text and "seed 2" not in text
  drawn = sorted(path.stem for path in (tmp_path / "out/figures").iterdir())
  assert drawn == ["figure_10", "figure_6", "figure_9"]
  assert text.count("*Not measured.*") == 1  # Fig. 12


def test_reproduction_all_void_refused(tmp_path, capsys):
  """Nothing is written where every run is void, or one has no report."""
  void = fabricated_run.report()
  void["controls"]["void"] = True
  out = f"--out={tmp_path / 'out'}"
  assert reproduction.main([str(_write(tmp_path / "bad", void)), out]) == 2
  assert reproduction.main([str(tmp_path / "none"), out]) == 2
  assert "does not exist" in capsys.readouterr().err and not (tmp_path / "out").exists()
