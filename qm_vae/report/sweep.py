"""Figures and tables over the runs of a grid: the paper's Fig. 6 and Table 1 with seeds as spread."""

import math
import pathlib

from matplotlib import colormaps
from matplotlib.ticker import MaxNLocator

from qm_vae.errors import InputError
from qm_vae.report import drawing, files, published, tables
from qm_vae.report.figures import curves
from qm_vae.report.figures import frontier as figures_frontier


def setting(row, name):
  """The row's `alpha`, `epochs` or `seed`: its own top-level key, else what the run itself recorded.

  Args:
    row: content of a `report.json`, dict, with or without the three names added at its top level.
    name: 'alpha', 'epochs' or 'seed'.

  Raises:
    KeyError: where neither says.
  """
  for place in (row, row.get("training") or {}, row.get("config") or {}):
    if place.get(name) is not None:
      return place[name]
  raise KeyError(f"a report of the sweep says nothing about {name!r}; add it as a top-level key of the row")


def is_void(row):
  """Whether the controls of a run failed, so that none of its numbers counts."""
  return bool((row.get("controls") or {}).get("void"))


def _groups(rows):
  """{(point, epochs): rows}, sorted; the rows of a group differ in their seeds alone.

  The point is what the launcher says was varied, as the row's top-level key `point`; without it, alpha.
  """
  groups = {}
  for row in rows:
    point = row["point"] if "point" in row else f"{setting(row, 'alpha'):g}"
    groups.setdefault((point, setting(row, "epochs")), []).append(row)
  return dict(sorted(groups.items()))


def _at_epoch(row, epoch):
  """The curve's loss rate after `epoch` epochs, nan where the curve has no such point."""
  found = [point.get("loss_rate") for point in row.get("curve") or () if point["epoch"] == epoch]
  return drawing.finite(found[0]) if found else math.nan


def _known(values):
  return [value for value in values if not math.isnan(value)]


def loss_rate_over_epochs(rows):
  """Fig. 6 for a grid: in-loop loss rate over epochs, one line per point of it; the band reaches over its seeds.

  Args:
    rows: list of `report.json` dicts, see `setting`. Of several lengths of training the longest is drawn per point;
      void runs are left out.

  Returns:
    Figure.

  Raises:
    ValueError: no valid row has a curve.
  """
  longest = {point: (epochs, group) for (point, epochs), group in _groups(filter(_drawable, rows)).items()}
  if not longest:
    raise InputError(
      "no valid row has a curve; loss rate over epochs needs reports of runs that evaluated while training"
    )
  figure = drawing.new_figure(4.2)
  axes = figure.subplots()
  drawing.tidy(axes)
  curves.paper_line(axes)
  for i, (point, (_, group)) in enumerate(longest.items()):
    colour = colormaps["cividis"](0.92 * i / max(len(longest) - 1, 1))
    epochs = sorted({point["epoch"] for row in group for point in row["curve"]})
    values = [_known(_at_epoch(row, epoch) for row in group) for epoch in epochs]
    mean = [sum(at) / len(at) if at else math.nan for at in values]
    low, high = ([pick(at) if at else math.nan for at in values] for pick in (min, max))
    axes.plot(epochs, mean, color=colour, linewidth=1.8, label=drawing.label(point))
    axes.fill_between(epochs, low, high, color=colour, alpha=0.18, linewidth=0)
  axes.set_ylim(bottom=0)
  axes.xaxis.set_major_locator(MaxNLocator(integer=True))
  axes.set_xlabel("epoch")
  axes.set_ylabel("in-loop loss rate on the test faces\n(mean of the seeds, band from least to most)")
  figure.legend(title=_varied(rows), loc="outside right upper", frameon=False, fontsize=9, title_fontsize=9)
  return figure


def table_markdown(rows, at=(10, 20, 30, 40)):
  """Table 1 as GitHub markdown: one line per point of the grid and length of training.

  Every figure is the mean over seeds, followed by its range where there are several seeds. `at` names the epochs at
  which the curve is read; an epoch that no run reached gets no column. 'paper' is the loss rate that the paper prints
  for that alpha and length, where it does. 'gap' is the independent judge's loss rate less the in-loop one. A run whose
  controls failed enters no mean: it gets a line of its own that says VOID.

  Args:
    rows: list of `report.json` dicts, see `setting`.
    at: epochs, integers.

  Returns:
    str that ends in a line feed.
  """
  groups = _groups(rows)
  at = [epoch for epoch in at if any(not math.isnan(_at_epoch(row, epoch)) for row in rows if not is_void(row))]
  head = [_varied(rows), "epochs", "seeds", "n", *(f"loss rate, epoch {epoch}" for epoch in at)]
  head += ["in-loop loss rate", "paper", "independent judge", "gap", "PSNR (dB)"]
  lines = [head, ["---:"] * len(head)]
  for (point, epochs), group in groups.items():
    lines += [_void_line(row, point, epochs, len(head)) for row in group if is_void(row)]
    group = [row for row in group if not is_void(row)]
    if not group:
      continue
    heads = [tables.headline(row) for row in group]
    pictures = [tables.method(row, "qm_vae").get("psnr") for row in group]
    counts = sorted({(one["in_loop"] or {}).get("n") or 0 for one in heads})
    line = [point, str(epochs), str(len({setting(row, "seed") for row in group})), "/".join(map(str, counts))]
    line += [_spread(_at_epoch(row, epoch) for row in group) for epoch in at]
    rates = [_spread(drawing.finite((one[key] or {}).get("value")) for one in heads) for key in _HEADLINES]
    line += [rates[0], _paper(point, epochs), *rates[1:]]
    line.append(_spread((drawing.finite((one or {}).get("value")) for one in pictures), digits=1))
    lines.append(line)
  table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
  return table + (_VOID_NOTE if any(map(is_void, rows)) else "")


def _paper(point, epochs):
  """The paper's loss rate of a point, '–' where it prints none."""
  alone = point in (f"{published.ALPHA:g}", f"alpha={published.ALPHA:g}")
  return f"{published.HEADLINE:.2f}" if alone and epochs == published.EPOCHS else "–"


_VOID_NOTE = "\nVOID: the controls of that run failed. It counts in no mean and is not in the figure.\n"


def _void_line(row, point, epochs, columns):
  line = [
    point,
    str(epochs),
    f"seed {setting(row, 'seed')}",
    str((tables.headline(row)["in_loop"] or {}).get("n") or 0),
  ]
  return line + ["VOID"] * (columns - len(line))


def _drawable(row):
  return bool(row.get("curve")) and not is_void(row)


def _varied(rows):
  return "point" if any("point" in row for row in rows) else "alpha"


def write(folder, runs):
  """Merges finished runs into sweep.md, sweep.png (needs a valid run with a curve) and frontier.png (one attacked).

  Args:
    folder: where the two files go.
    runs: folders of the runs to merge, each named 'KEY=VALUE,...,seed=SEED' by the launcher; one without a report,
      as a training of a recogniser leaves it, is passed over.

  Returns:
    Number of runs merged, void ones included; nothing is written for 0.

  Raises:
    UnreadableReport: see `files.read`.
  """
  folder = pathlib.Path(folder)
  rows = []
  for path in map(pathlib.Path, runs):
    if (path / "report.json").exists():
      varied = [part for part in path.name.split(",") if not part.startswith("seed=")]
      rows.append(files.read(path)[0] | {"point": ", ".join(varied) or "default"})
  if not rows:
    return 0
  files.write_aside(folder / "sweep.md", table_markdown(rows).encode())
  if any(map(_drawable, rows)):
    files.write_aside(folder / "sweep.png", drawing.png(loss_rate_over_epochs(rows)))
  else:  # one of an earlier sweep would not belong to this table
    (folder / "sweep.png").unlink(missing_ok=True)
  frontier = figures_frontier.frontier([(row["point"], row) for row in rows])
  if frontier:
    files.write_aside(folder / "frontier.png", drawing.png(frontier))
  else:
    (folder / "frontier.png").unlink(missing_ok=True)
  return len(rows)


_HEADLINES = ("in_loop", "independent", "gap")


def _spread(values, digits=3):
  """'mean (least to most)' of the known values, the mean alone where all are one."""
  values = _known(values)
  if not values:
    return "–"
  mean = tables.number(sum(values) / len(values), digits)
  if len(values) == 1:
    return mean
  return f"{mean} ({tables.number(min(values), digits)} to {tables.number(max(values), digits)})"
