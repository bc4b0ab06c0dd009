"""The frontier: what an independent recogniser no longer reads against who is still named, over many runs."""

import math
import re
import textwrap

from qm_vae.report import attacks, drawing, tables

_LINE = 40  # characters of a line of the legend


def points(reports):
  """One point for every method that was attacked and judged, {'label', 'family', 'loss', 'rank_1'} each.

  Args:
    reports: [(label, report)]; the label names the run's QM-VAE, '' where there is one run. Of the other methods, which
      do not depend on training, the first run that has them speaks. Void runs are left out.

  Returns:
    [dict]; `loss` is the judge's rate against the service's answer on the original, `rank_1` the strongest attack's in
    the run's largest crowd. `family` is 'qm_vae', or the de-identifier's name without its options.
  """
  found, seen = [], set()
  for run, report in reports:
    privacy = report.get("privacy") or {}
    if (report.get("controls") or {}).get("void") or (privacy.get("controls") or {}).get("void"):
      continue
    judge = tables.headline(report)["judge"]
    for one in privacy.get("methods") or ():
      loss = tables.judged(tables.method(report, one["name"]), judge).get("service_answer")
      ours = one["name"] == "qm_vae"
      name = drawing.title(one["name"]) + (f" {run}" if ours and run else "")
      if one.get("kind") == "control" or not loss or not one.get("headline") or name in seen:
        continue
      seen.add(name)
      family = "qm_vae" if ours else one["name"].partition(":")[0]
      found.append({"label": name, "family": family, "loss": loss, "rank_1": one["headline"]["rank_1"]})
  return found


def frontier(reports):
  """The figure of `points`: left is useful, low is private. Strengths of one de-identifier are joined by a line.

  Args:
    reports: see `points`.

  Returns:
    Figure, or None where nobody was attacked and judged.
  """
  shown = points(reports)
  if not shown:
    return None
  first = next(report for _, report in reports if report.get("privacy"))
  figure = drawing.new_figure(5.2)
  axes = figure.subplots()
  drawing.tidy(axes, grid="both")
  families = list(dict.fromkeys(point["family"] for point in shown if point["family"] != "qm_vae"))
  groups = dict(zip(families, drawing.GROUPS[1:] * (1 + len(families) // 6), strict=False))
  ours = iter(drawing.GROUPS * (1 + len(shown) // 7))
  chance = next(
    (one["headline"]["chance"] for one in first["privacy"].get("methods") or () if one.get("headline")), math.nan
  )
  floor = chance / 3  # a logarithmic axis has no 0; a rate of 0 is drawn here
  for family in families:
    line = sorted((p for p in shown if p["family"] == family), key=lambda p: p["loss"]["value"])
    xs, ys = [p["loss"]["value"] for p in line], [max(p["rank_1"]["value"], floor) for p in line]
    axes.plot(xs, ys, color=groups[family][0], linewidth=1, alpha=0.6, zorder=2)
  for point in shown:
    mine = point["family"] == "qm_vae"
    colour, marker = next(ours) if mine else groups[point["family"]]
    x, left, right = drawing.interval(point["loss"])
    y = max(point["rank_1"]["value"], floor)
    below, above = max(y - max(point["rank_1"]["low"], floor), 0), max(point["rank_1"]["high"] - y, 0)
    axes.errorbar(
      x, y, xerr=[[left], [right]], yerr=[[below], [above]], fmt="*" if mine else marker, color=colour,
      markersize=12 if mine else 5.5, elinewidth=1.2, capsize=2, zorder=4 if mine else 3,
      label=_named(point, shown),
    )  # fmt: skip
  _, clear = attacks.strongest(first["privacy"].get("clear"), attacks.largest_crowd(first["privacy"]))
  for value, linestyle, name in ((chance, ":", "chance"), ((clear or {}).get("value"), "--", "clear pictures")):
    axes.axhline(drawing.finite(value), color=drawing.INK, linestyle=linestyle, linewidth=1.2, zorder=1, label=name)
  axes.set_yscale("log")
  axes.set_ylim(floor * 0.8, 1.1)
  axes.set_xlim(-0.02, 1.02)
  axes.set_xlabel(
    "share of faces for which an independent recogniser does not read\nthe service's answer on the original"
  )
  axes.set_ylabel(
    f"re-identified at rank 1 of {attacks.largest_crowd(first['privacy'])}\nby the strongest attack (logarithmic)"
  )
  figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
  return figure


def _named(point, shown):
  """A point's name in the legend: QM-VAE's own, a de-identifier's once for all strengths; '_' stands in no legend."""
  if point["family"] == "qm_vae":
    # Of 'release.epsilon=0.1' what comes after the last dot of the key.
    name = re.sub(r"[\w.]*\.(?=\w+=)", "", point["label"])
    return textwrap.fill(drawing.label(name, 2 * _LINE), _LINE)
  strengths = [one["label"] for one in shown if one["family"] == point["family"]]
  if point["label"] != strengths[0]:
    return "_"
  options = [one.partition(":")[2] for one in strengths]
  name = drawing.title(point["family"]) + (": " if any(options) else "") + ", ".join(filter(None, options))
  return textwrap.fill(drawing.label(name, 2 * _LINE), _LINE)
