"""Loss rate by the number of views that are fused (the paper's Fig. 12)."""

from matplotlib.ticker import MaxNLocator

from qm_vae.report import drawing, tables


def loss_rate_by_inputs(reports):
  """Fig. 12: one point per run and party that judged it, with 95 % intervals; below it the aligned mean's rate.

  Args:
    reports: list of `report.json` dicts; the views of a run are its methods of the kind 'view'.

  Returns:
    Figure, or None unless runs of at least two numbers of views were measured.
  """
  rated = [(len(views(one)), tables.method(one, "qm_vae")) for one in reports]
  rated = [(count, one) for count, one in rated if (one.get("loss_rate") or {}).get("value") is not None]
  if len({count for count, _ in rated}) < 2:
    return None
  figure = drawing.new_figure(3.6)
  axes = figure.subplots()
  drawing.tidy(axes)
  names = list(dict.fromkeys(name for one in reports for name in tables.judge_names(one)))
  series = [("service (in the loss)", drawing.GROUPS[0], lambda one: one.get("loss_rate"))]
  for name, colour, marker in zip(names, drawing.JUDGE_COLOURS, drawing.JUDGE_MARKERS, strict=False):
    rate = lambda one, name=name: tables.judged(one, name).get("service_answer")
    series.append((f"judge {drawing.label(name)}", (colour, marker), rate))
  for i, (label, (colour, marker), rate) in enumerate(series):
    points = [(count + 0.09 * (i - (len(series) - 1) / 2), *drawing.interval(rate(one))) for count, one in rated]
    at, value, below, above = zip(*points, strict=True)
    axes.errorbar(at, value, yerr=[below, above], fmt=marker, color=colour, capsize=2.5, elinewidth=1.4, label=label)
  mean = drawing.finite((tables.method(reports[0], "aligned_mean").get("loss_rate") or {}).get("value"))
  if mean == mean:
    axes.axhline(mean, color=drawing.FAINT, linestyle="--", linewidth=1.2, label="aligned mean, by the service")
  axes.set_ylim(bottom=0)
  axes.xaxis.set_major_locator(MaxNLocator(integer=True))
  axes.set_xlabel("views that are fused")
  axes.set_ylabel("loss rate, with 95 % interval")
  figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=9)
  return figure


def views(report):
  """Names of the views that the run fused, in order."""
  return tuple(one["name"] for one in report.get("methods") or () if one.get("kind") == "view")
