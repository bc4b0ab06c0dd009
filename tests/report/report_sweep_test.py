"""Tables and figures over a grid of runs."""

import json

import fabricated_run
import numpy as np
import pytest

from qm_vae.report import drawing, sweep


@pytest.fixture(scope="module")
def rows():
  return [fabricated_run.report(seed, alpha, 20) for alpha in (1.0, 0.0, 0.4) for seed in (0, 1)]


def cells(text):
  return [[cell.strip() for cell in line.strip("|\n").split("|")] for line in text.splitlines()]


def test_sweep_page_table_one_line_per_alpha(rows):
  """Table has one line per alpha in order."""
  head, rule, *lines = cells(sweep.table_markdown(rows))
  assert head[:6] == ["alpha", "epochs", "seeds", "n", "loss rate, epoch 10", "loss rate, epoch 20"]
  assert not any("30" in name for name in head)  # no run reached epoch 30
  assert set(rule) == {"---:"} and len(rule) == len(head)
  assert [line[:4] for line in lines] == [[alpha, "20", "2", "200"] for alpha in ("0", "0.4", "1")]
  assert all(len(line) == len(head) for line in lines)


def test_sweep_page_table_gives_mean_range_over(rows):
  """Table gives mean and range over seeds."""
  line = dict(zip(*[cells(sweep.table_markdown(rows[4:]))[i] for i in (0, 2)], strict=True))
  values = [row["curve"][9]["loss_rate"] for row in rows[4:]]
  assert line["loss rate, epoch 10"] == f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"
  assert line["gap"] == "0.175 (0.175 to 0.175)"
  one = dict(zip(*[cells(sweep.table_markdown(rows[4:5]))[i] for i in (0, 2)], strict=True))
  assert one["loss rate, epoch 10"] == f"{values[0]:.3f}" and one["in-loop loss rate"] == "0.138"


def test_sweep_page_unmeasured_cells_dashes():
  """Unmeasured cells are dashes."""
  row = {"version": 1, "alpha": 0.5, "epochs": 10, "seed": 3}
  assert cells(sweep.table_markdown([row]))[2] == ["0.5", "10", "1", "0", *["–"] * 5]


def test_sweep_page_top_level_keys_win_missing(rows):
  """Top level keys win and missing ones are named."""
  assert sweep.setting({**rows[0], "alpha": 0.9}, "alpha") == 0.9
  assert sweep.setting(rows[0], "seed") == 0
  with pytest.raises(KeyError, match="seed"):
    sweep.setting({"version": 1}, "seed")


def test_sweep_page_figure_draws_one_line_per(rows):
  """Figure draws one line per alpha."""
  figure = sweep.loss_rate_over_epochs(rows)
  lines = {line.get_label(): line for line in figure.axes[0].lines if not line.get_label().startswith("_")}
  assert list(lines) == ["0", "0.4", "1"]
  expected = np.mean([[point["loss_rate"] for point in row["curve"]] for row in rows[4:]], 0)
  np.testing.assert_allclose(lines["0.4"].get_ydata(), expected, rtol=1e-12)  # the same sum in another order
  assert drawing.png(figure).startswith(b"\x89PNG")


def test_sweep_page_figure_needs_curve():
  """Figure needs a curve."""
  with pytest.raises(ValueError, match="no valid row has a curve"):
    sweep.loss_rate_over_epochs([{"alpha": 0, "epochs": 1, "seed": 0}])


def test_sweep_page_runs_vary_something_else_alpha(tmp_path):
  """Runs that vary something else than alpha are not taken for seeds."""
  for name in ("views=blindfold+mosaic,seed=0", "views=laplace,seed=0", "views=laplace,seed=1"):
    (tmp_path / name).mkdir()
    (tmp_path / name / "report.json").write_text(json.dumps(fabricated_run.report(0, 0.4, 20)))
  assert sweep.write(tmp_path, sorted(path for path in tmp_path.iterdir())) == 3
  lines = cells((tmp_path / "sweep.md").read_text())[2:]
  assert [line[0] for line in lines] == ["views=blindfold+mosaic", "views=laplace"]
  assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def runs(tmp_path):
  """Folders of three seeds of one point."""
  folders = [tmp_path / f"alpha=0.4,seed={seed}" for seed in range(3)]
  for seed, folder in enumerate(folders):
    folder.mkdir()
    fabricated_run.write(folder, fabricated_run.report(seed, 0.4, 20), {})
  return folders


def make_void(folder):
  message = json.loads((folder / "report.json").read_text())
  message["controls"] |= {"void": True, "reasons": ["identity lost answers"]}
  message["gap"]["value"] = 0.9
  (folder / "report.json").write_text(json.dumps(message))


def test_sweep_page_only_runs_named_merged(runs, tmp_path):
  """Only the runs named are merged."""
  assert sweep.write(tmp_path, runs[:2]) == 2
  assert cells((tmp_path / "sweep.md").read_text())[2][2] == "2"


def test_sweep_page_void_run_listed_counts_nowhere(runs, tmp_path):
  """A void run is listed and counts nowhere."""
  make_void(runs[1])
  assert sweep.write(tmp_path, runs) == 3
  text = (tmp_path / "sweep.md").read_text()
  head, _, void, valid, *_ = cells(text)
  assert void == ["alpha=0.4", "20", "seed 1", "200", *["VOID"] * (len(head) - 4)]
  assert valid[:4] == ["alpha=0.4", "20", "2", "200"]
  assert dict(zip(head, valid, strict=True))["gap"] == "0.175 (0.175 to 0.175)"
  assert "VOID: the controls of that run failed" in text
  message = [json.loads((folder / "report.json").read_text()) for folder in runs]
  drawn = sweep.loss_rate_over_epochs(message).axes[0]
  expected = np.mean([[point["loss_rate"] for point in message[seed]["curve"]] for seed in (0, 2)], 0)
  line = next(line for line in drawn.lines if line.get_label() == "0.4")
  np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-12)  # the same sum in another order


def test_sweep_page_nothing_void_runs_gives_table(runs, tmp_path):
  """Nothing but void runs gives a table and no figure."""
  (tmp_path / "sweep.png").write_bytes(b"of an earlier sweep")
  make_void(runs[0])
  assert sweep.write(tmp_path, runs[:1]) == 1
  assert len(cells((tmp_path / "sweep.md").read_text().partition("\n\n")[0])) == 3
  assert not (tmp_path / "sweep.png").exists()


def test_sweep_page_without_finished_run_nothing_written(tmp_path):
  """Without a finished run nothing is written."""
  assert sweep.write(tmp_path, []) == 0
  assert sweep.write(tmp_path, [tmp_path / "seed=0"]) == 0
  assert list(tmp_path.iterdir()) == []


def test_sweep_page_papers_number_stands_beside_point():
  """The papers number stands beside the point that it is of."""
  rows = [fabricated_run.report(0, alpha, epochs) for alpha in (0.0, 0.4) for epochs in (20, 40)]
  head, _, *lines = cells(sweep.table_markdown(rows))
  assert [line[head.index("paper")] for line in lines] == ["–", "–", "–", "0.14"]
  others = [row | {"point": "alpha=0.4, views=mosaic"} for row in rows]
  assert "0.14 |" not in sweep.table_markdown(others[3:])
