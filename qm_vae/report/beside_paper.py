"""Finished runs beside the paper: one table for its headline and Tables 2 to 4, and its Figs. 6, 9, 10 and 12."""

import pathlib
from typing import Any, NamedTuple

from qm_vae.errors import InputError
from qm_vae.metrics import intervals
from qm_vae.report import attacks, drawing, files, published, rendering, sweep, tables, tables_faces
from qm_vae.report.figures import inputs, probabilities

EPOCHS = (10, 20, 30, 40)
"""Where the paper reads its curves (Table 1)."""

FIGURES = {
  "figure_6": "Fig. 6, loss rate over epochs. The paper: lowest at alpha 0.4, with 0.14 after 40 epochs.",
  "figure_9": "Fig. 9, probability of each class on the original and on the output, one point per face.",
  "figure_10": "Fig. 10, mean change of each class's probability, bars of one standard deviation.",
  "figure_12": "Fig. 12, three, four and five inputs. The paper: fewer answers are lost with every further input.",
}
"""What the paper draws, and what it says of it as far as this project knows."""

_NUM_VIEWS = 4  # that the paper fuses, but in Fig. 12
_UNKNOWN = "A dash in the column *paper*: it gives no number, or one that this project does not know.\n"


class Row(NamedTuple):
  """One line of the table."""

  part: str  # of the paper
  what: str
  paper: float | None
  rate: dict[str, Any]  # value, n, low and high; a rate, or dB
  run: int  # position of the run that it is from


def rows(reports):
  """All lines of the table, in the order of the paper.

  Args:
    reports: list of `report.json` dicts, none void.

  Returns:
    [Row]; what was not measured has no line.
  """
  fused = [(i, one) for i, one in enumerate(reports) if len(inputs.views(one)) == _NUM_VIEWS]
  ours = [(i, one) for i, one in fused if sweep.setting(one, "alpha") == published.ALPHA]
  other = [(i, one) for i, one in enumerate(reports) if len(inputs.views(one)) != _NUM_VIEWS]
  found = [row for i, one in ours for row in (*_headline(i, one), *_recognised(i, one))]
  found += [row for i, one in ours[:1] for row in _table_2(i, one)]
  found += [row for i, one in ours for row in _table_3(i, one)]
  if len(fused) > len(ours):
    found += [
      row for i, one in sorted(fused, key=lambda pair: sweep.setting(pair[1], "alpha")) for row in _table_4(i, one)
    ]
  found += [
    Row("Fig. 12", f"{len(inputs.views(one))} inputs{_seed(one)}", None, _rate(one, "qm_vae"), i)
    for i, one in (sorted(other + ours, key=lambda pair: len(inputs.views(pair[1]))) if other else [])
  ]
  return [row for row in found if row.rate.get("value") is not None]


def _headline(run, report):
  epochs, by = sweep.setting(report, "epochs"), f"alpha {published.ALPHA:g}{_seed(report)}"
  counted = [point for point in report.get("curve") or () if point.get("n")]
  for point in counted:
    if point["epoch"] in EPOCHS and point["epoch"] < epochs:
      yield Row("Sec. 5.3", f"{by}, service, after {point['epoch']} epochs", None, _at(point), run)
  if counted:
    best = min(counted, key=lambda point: point["loss_rate"])
    what = f"{by}, service, the lowest of {len(counted)} evaluations (epoch {best['epoch']}), chosen on the test faces"
    yield Row("Sec. 5.3", what, None, _at(best), run)
  for judge in report.get("judges") or ():
    differ = tables.complement(judge.get("agreement_on_originals")) or {}
    yield Row("Sec. 5.3", f"originals, judge {judge['name']}", None, differ, run)
  paper = published.HEADLINE if epochs == published.EPOCHS else None
  for name, title in (("qm_vae", f"{by}, {epochs} epochs"), ("aligned_mean", "aligned mean")):
    one = tables.method(report, name)
    beside = paper if name == "qm_vae" else None
    yield Row("Sec. 5.3", f"{title}, service", beside, one.get("loss_rate") or {}, run)
    for judge in tables.judge_names(report):
      answers = tables.judged(one, judge)
      yield Row("Sec. 5.3", f"{title}, judge {judge}", None, answers.get("service_answer") or {}, run)
    yield Row("Sec. 5.3", f"{title}, whole pipeline", None, one.get("pipeline_loss_rate") or {}, run)


def _at(point):
  """The rate of one evaluation while training."""
  return intervals.wilson(round(point["loss_rate"] * point["n"]), point["n"]).as_dict()


def _recognised(run, report):
  privacy = report.get("privacy") or {}
  for method in privacy.get("methods") or ():
    for people in privacy.get("crowds") or ():
      attack, rate = attacks.strongest(method.get("attacks"), people)
      if attack:
        by = f"{drawing.title(method['name'])}{_seed(report) if method['name'] == 'qm_vae' else ''}"
        yield Row("privacy", f"{by}, rank 1 of {people}, {attacks.attack_name(attack)}", None, rate, run)


def _table_2(run, report):
  for one in tables.methods(report):
    if one["kind"] in ("view", "baseline") and one["name"] != "aligned_mean":
      options = ", ".join(f"{key} {value}" for key, value in (one.get("options") or {}).items())
      what = drawing.title(one["name"]) + (f" ({options})" if options and ":" not in one["name"] else "")
      paper = one["paper"] or published.LOSS_RATES.get(one["name"].partition(":")[0])
      yield Row("Table 2", what, paper, one.get("loss_rate") or {}, run)


def _table_3(run, report):
  for row in tables.method(report, "qm_vae").get("per_expression") or ():
    yield Row("Table 3", f"{row['expression']}{_seed(report)}", None, row.get("loss_rate") or {}, run)


def _table_4(run, report):
  coefficient = round(1 - sweep.setting(report, "alpha"), 6)
  what = f"coefficient {coefficient:g} of the MSE, {sweep.setting(report, 'epochs')} epochs{_seed(report)}"
  one = tables.method(report, "qm_vae")
  yield Row("Table 4", f"{what}, service", None, one.get("loss_rate") or {}, run)
  for judge in tables.judge_names(report):
    answers = tables.judged(one, judge)
    yield Row("Table 4", f"{what}, judge {judge}", None, answers.get("service_answer") or {}, run)
  yield Row("Table 4", f"{what}, PSNR in dB", None, one.get("psnr") or {}, run)


def _rate(report, name):
  return tables.method(report, name).get("loss_rate") or {}


def _seed(report):
  return f", seed {sweep.setting(report, 'seed')}"


def table_markdown(found, reports):
  """The table of `rows` as GitHub markdown, with the commands of the runs below it.

  Args:
    found: [Row].
    reports: of the runs that they are from.
  """
  lines = ["| | what | paper | measured | n | command |", "| --- | --- | ---: | --- | ---: | --- |"]
  for row in found:
    rate, digits = row.rate, 1 if row.what.endswith("dB") else 3
    measured = tables.number(rate["value"], digits)
    if rate.get("low") is not None:
      measured += f" [{tables.number(rate['low'], digits)}, {tables.number(rate['high'], digits)}]"
    paper, n = tables.number(row.paper), str(rate.get("n"))
    cells = (row.part, drawing.visible(row.what).replace("|", "/"), paper, measured, n, str(row.run + 1))
    lines.append(f"| {' | '.join(cells)} |")
  commands = [f"{i}. `{drawing.visible(one.get('command'))}`" for i, one in enumerate(reports, 1)]
  return "\n".join([*lines, "", _UNKNOWN, "Commands:", "", *commands, ""])


def figures(reports, arrays):
  """{name: Figure, or None where there was nothing to draw} of the paper's Figs. 6, 9, 10 and 12.

  Args:
    reports: list of `report.json` dicts, none void.
    arrays: of the same runs, contents of `evaluation.npz`.
  """
  fused = [(one, stored) for one, stored in zip(reports, arrays, strict=True) if len(inputs.views(one)) == _NUM_VIEWS]
  first, stored = next((pair for pair in fused if sweep.setting(pair[0], "alpha") == published.ALPHA), ({}, {}))
  found = first.get("probabilities") or {}
  before, after = (stored.get(f"probabilities_{side}") for side in ("original", "output"))
  curves = [one for one, _ in fused if one.get("curve")]
  at_alpha = [one for one in reports if sweep.setting(one, "alpha") == published.ALPHA]
  return {
    "figure_6": sweep.loss_rate_over_epochs(curves) if curves else None,
    "figure_9": probabilities.probability_scatter(found["classes"], before, after) if found else None,
    "figure_10": probabilities.probability_differences(found),
    "figure_12": inputs.loss_rate_by_inputs(at_alpha),
  }


def markdown(reports, drawn, void):
  """The whole page.

  Args:
    reports: list of `report.json` dicts, none void.
    drawn: {name of a figure: anything, or None where it was not drawn}.
    void: names of the runs that were left out.
  """
  parts = ["# The paper beside these runs\n", table_markdown(rows(reports), reports)]
  parts += [f"Void, since a control failed, and left out: {', '.join(map(drawing.visible, void))}.\n"] if void else []
  for one in reports:
    privacy = one.get("privacy") or {}
    ours = tables.method(privacy, "qm_vae")
    said = [attacks.headline(privacy, ours)] if ours else []
    said.append(tables_faces.conclusion(one.get("methods"), privacy, "qm_vae", "QM-VAE is"))
    parts.append(
      f"alpha {sweep.setting(one, 'alpha'):g}{_seed(one)}: {' '.join(filter(None, said)) or 'not attacked.'}\n"
    )
  for name, words in FIGURES.items():
    parts.append(f"{words}\n\n![{words}](figures/{name}.png)\n" if drawn[name] else f"{words} *Not measured.*\n")
  return "\n".join(parts)


def write(folders, out):
  """Writes OUT/reproduction.md and OUT/figures/.

  Args:
    folders: of finished runs.
    out: folder, made where there is none.

  Returns:
    pathlib.Path of the page.

  Raises:
    UnreadableReport: see `files.read`.
    ValueError: where every run is void.
  """
  out = pathlib.Path(out)
  read = [(folder, *files.read(folder)) for folder in folders]
  void = [str(folder) for folder, report, _ in read if sweep.is_void(report)]
  kept = [(report, arrays) for _, report, arrays in read if not sweep.is_void(report)]
  if not kept:
    raise InputError("the controls of every run failed, so there is nothing to put beside the paper")
  reports, arrays = map(list, zip(*kept, strict=True))
  out.mkdir(parents=True, exist_ok=True)
  return rendering.write(out, "reproduction.md", figures(reports, arrays), lambda drawn: markdown(reports, drawn, void))
