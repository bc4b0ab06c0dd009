"""Who is recognised: per attack with intervals, over ranks (CMC), and over false accepts (ROC)."""

import itertools

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, ScalarFormatter

from qm_vae.report import attacks, drawing, tables_privacy

STYLES = ("-", "--", ":")  # the first six lines, the next six, all others
FALSE_ACCEPTS = 10  # impostor pairs that a drawn point of the ROC needs at least


def of_method(privacy, method):
  """The three figures of one method in the largest crowd: {'rank_1', 'cmc', 'roc'}: Figure, or None without attacks.

  Args:
    privacy: the section, {} without one.
    method: one of its methods, {} without one.
  """
  people = attacks.largest_crowd(privacy)
  rows = [row for row in tables_privacy.attack_rows(privacy, method, people) if row["summary"]]
  if not rows:
    return dict.fromkeys(("rank_1", "cmc", "roc"))
  clear = [(row["name"], row["summary"]) for row in tables_privacy.clear_rows(privacy, people) if row["summary"]]
  return {"rank_1": rank_1(rows, clear), "cmc": cmc(rows, clear), "roc": roc(rows, clear)}


def rank_1(rows, clear):
  """One line per attack: rank-1 rate with interval, and as a hollow diamond what it gets from clear pictures.

  Args:
    rows: as `tables_privacy.attack_rows` gives them, each with its numbers.
    clear: [(recogniser, summary)] on clear pictures.
  """
  figure = drawing.new_figure(1.5 + 0.34 * len(rows))
  axes = figure.subplots()
  drawing.tidy(axes, grid="x")
  for height, row in enumerate(rows):
    value, below, above = drawing.interval(row["summary"].get("rank_1"))
    colour = drawing.VERMILLION if row["ours"] else drawing.BLUE
    axes.errorbar(
      value, height, xerr=[[below], [above]], fmt="o", color=colour, markersize=5.5, elinewidth=1.5, capsize=2.5
    )
    level = drawing.finite((row["attack"].get("on_clear") or {}).get("value"))
    axes.plot(level, height, "D", mfc="white", mec=drawing.INK, ms=6, mew=1.2, zorder=2)
  _, best = attacks.strongest([{"crowds": [summary]} for _, summary in clear], rows[0]["summary"]["n_people"])
  handles = [
    Line2D([], [], color=drawing.VERMILLION, marker="o", label="strongest"),
    Line2D([], [], color=drawing.BLUE, marker="o", label="protected pictures"),
    Line2D([], [], marker="D", mfc="white", mec=drawing.INK, linestyle="", label="same attack, clear pictures"),
    _level(axes, _chance(rows), ":", "chance"),
  ]
  if best:
    handles.append(_level(axes, best["value"], "--", "frozen recogniser, clear"))
  axes.set_yticks(range(len(rows)), [drawing.label(row["name"]) for row in rows])
  axes.set_ylim(len(rows) - 0.5, -0.5)
  axes.set_xlim(-0.02, 1.02)
  axes.set_xlabel(f"share re-identified at rank 1 of {rows[0]['summary']['n_people']} people")
  figure.legend(handles=handles, loc="outside upper left", ncols=2, frameon=False, fontsize=9)
  return figure


def cmc(rows, clear):
  """Cumulative match characteristic: share of faces whose person is among the first k, over k on a log scale."""
  figure, axes = _plot(rows)
  for row, style in zip(rows, _styles(rows), strict=True):
    curve = row["summary"].get("cmc") or []
    axes.plot(range(1, len(curve) + 1), curve, label=drawing.label(row["name"]), **style)
  for (name, summary), style in zip(clear, _clear_styles(), strict=False):
    curve = summary.get("cmc") or []
    axes.plot(range(1, len(curve) + 1), curve, label=drawing.label(f"clear, {name}"), **style)
  people = rows[0]["summary"]["n_people"]
  last = max(len(row["summary"].get("cmc") or []) for row in rows)
  ranks = np.arange(1, max(last, 2) + 1)
  axes.plot(ranks, np.minimum(ranks / people, 1), color=drawing.FAINT, linestyle="-.", linewidth=1.3, label="chance")
  axes.set_xscale("log")
  axes.set_xlim(1, ranks[-1])
  axes.xaxis.set_major_locator(FixedLocator([k for k in (1, 2, 5, 10, 20, 50) if k <= ranks[-1]]))
  axes.xaxis.set_major_formatter(ScalarFormatter())
  axes.xaxis.set_minor_locator(FixedLocator([]))
  axes.set_xlabel("rank k (log scale)")
  axes.set_ylabel(f"share with the right person\namong the first k of {people}")
  return _with_legend(figure, axes)


def roc(rows, clear):
  """Receiver operating characteristic: share of genuine pairs accepted, over false accepts on a log scale."""
  figure, axes = _plot(rows)
  pairs = max(row["summary"]["n_probes"] * (row["summary"]["n_people"] - 1) for row in rows)
  start = min(max(FALSE_ACCEPTS / max(pairs, 1), 1e-4), 1e-1)
  at = np.geomspace(start, 1, 200)
  for row, style in zip(rows, _styles(rows), strict=True):
    axes.plot(at, _accepted(row["summary"], at), label=drawing.label(row["name"]), **style)
  for (name, summary), style in zip(clear, _clear_styles(), strict=False):
    axes.plot(at, _accepted(summary, at), label=drawing.label(f"clear, {name}"), **style)
  axes.plot(at, at, color=drawing.FAINT, linestyle="-.", linewidth=1.3, label="chance")
  axes.set_xscale("log")
  axes.set_xlim(start, 1)
  axes.set_xlabel("false acceptance rate (log scale)")
  axes.set_ylabel("true acceptance rate")
  return _with_legend(figure, axes)


def _level(axes, value, linestyle, name):
  """Draws an upright line and returns its handle for a legend."""
  look = {"color": drawing.INK, "linestyle": linestyle, "linewidth": 1.2}
  axes.axvline(drawing.finite(value), zorder=1, **look)
  return Line2D([], [], label=name, **look)


def _chance(rows):
  return (rows[0]["summary"].get("chance") or {}).get("rank_1")


def _styles(rows):
  """Keyword arguments of one line per row: six colours, then the same dashed; the strongest is thicker."""
  for i, row in enumerate(rows):
    colour, _ = drawing.GROUPS[i % 6]  # the seventh is the ink of the clear pictures
    yield {"color": colour, "linestyle": STYLES[min(i // 6, 2)], "linewidth": 2.6 if row["ours"] else 1.7}


def _clear_styles():
  """The same for recognisers on clear pictures."""
  for i in itertools.count():
    yield {"color": drawing.INK, "linestyle": STYLES[min(i, 2)], "linewidth": 1.1}


def _plot(rows):
  figure = drawing.new_figure(3.8 + 0.11 * len(rows))
  axes = figure.subplots()
  drawing.tidy(axes, grid="both")
  axes.set_ylim(-0.02, 1.02)
  return figure, axes


def _with_legend(figure, axes):
  handles, _ = axes.get_legend_handles_labels()
  figure.legend(handles=handles, loc="outside upper left", ncols=2, frameon=False, fontsize=9)
  return figure


def _accepted(summary, at):
  """TAR at each FAR of `at`: straight between the corners, and the top of a vertical step."""
  curve = summary.get("roc") or {}
  far, tar = (np.array([drawing.finite(x) for x in curve.get(key) or [0.0, 1.0]]) for key in ("far", "tar"))
  return np.interp(at, far, tar)
