"""Loss rates with their intervals: per method (the paper's Table 2) and per expression (Table 3)."""

from matplotlib.lines import Line2D

from qm_vae.report import drawing, published


def _series(methods):
  """[(legend, colour, marker, method -> rate)] of what was measured for at least one method."""
  series = [
    ("service, in the graph", drawing.BLUE, "o", lambda method: method.get("loss_rate")),
    ("service, whole pipeline", drawing.SKY, "s", lambda method: method.get("pipeline_loss_rate")),
  ]
  names = list(dict.fromkeys(judge["name"] for method in methods for judge in method.get("judges") or ()))
  for i, name in enumerate(names):
    colour = drawing.JUDGE_COLOURS[i % len(drawing.JUDGE_COLOURS)]
    marker = drawing.JUDGE_MARKERS[i % len(drawing.JUDGE_MARKERS)]

    def rate(method, name=name):
      return next((j.get("service_answer") for j in method.get("judges") or () if j["name"] == name), None)

    series.append((f"judge {drawing.label(name)}", colour, marker, rate))
  return [one for one in series if any((one[3](method) or {}).get("value") is not None for method in methods)]


def loss_rates(report):
  """One row per method, one marker per party that judged it, 95 % intervals, the paper's value as a hollow diamond.

  Args:
    report: dict with `methods`.

  Returns:
    Figure, or None where no method was measured.
  """
  methods = report.get("methods") or []
  series = _series(methods)
  if not series:
    return None
  figure = drawing.new_figure(1.35 + 0.55 * len(methods))
  axes = figure.subplots()
  drawing.tidy(axes, grid="x")
  for row, method in enumerate(methods):
    if row % 2 == 0:
      axes.axhspan(row - 0.5, row + 0.5, color="#F5F5F5", zorder=0)
    for i, (_, colour, marker, rate) in enumerate(series):
      value, below, above = drawing.interval(rate(method))
      height = row + 0.62 * ((i + 0.5) / len(series) - 0.5)
      axes.errorbar(
        value, height, xerr=[[below], [above]], fmt=marker, color=colour, markersize=5.5, elinewidth=1.4, zorder=3
      )
    if method["name"] in published.LOSS_RATES:
      axes.plot(
        published.LOSS_RATES[method["name"]], row, "D", mfc="white", mec=drawing.INK, ms=6.5, mew=1.2, zorder=2.5
      )
  axes.set_yticks(range(len(methods)), [drawing.label(drawing.title(method["name"])) for method in methods])
  axes.set_ylim(len(methods) - 0.5, -0.5)
  axes.set_xlim(-0.02, 1.02)
  axes.set_xlabel("share of test faces answered differently, with 95 % interval")
  handles = [Line2D([], [], color=c, marker=m, linestyle="-", label=text) for text, c, m, _ in series]
  handles.append(Line2D([], [], marker="D", mfc="white", mec=drawing.INK, linestyle="", label="paper"))
  figure.legend(handles=handles, loc="outside upper left", ncols=2, frameon=False, fontsize=9)
  return figure


def per_expression(report):
  """QM-VAE's loss rate for each expression that the service read from the original, with n and 95 % interval.

  Args:
    report: dict with `methods`; the one called 'qm_vae' is drawn.

  Returns:
    Figure, or None where it was not measured.
  """
  method = next((m for m in report.get("methods") or () if m["name"] == "qm_vae"), {})
  rows = [row for row in method.get("per_expression") or () if row.get("loss_rate")]
  if not rows:
    return None
  figure = drawing.new_figure(0.9 + 0.34 * len(rows))
  axes = figure.subplots()
  drawing.tidy(axes, grid="x")
  for height, row in enumerate(rows):
    value, below, above = drawing.interval(row["loss_rate"])
    axes.errorbar(value, height, xerr=[[below], [above]], fmt="o", color=drawing.BLUE, elinewidth=1.5, capsize=2.5)
  overall = drawing.interval(method.get("loss_rate"))[0]
  axes.axvline(overall, color=drawing.FAINT, linestyle="--", linewidth=1.2)
  axes.annotate(
    f"all {overall:.3f}", (overall, 1), xycoords=("data", "axes fraction"), xytext=(3, 2),
    textcoords="offset points", fontsize=9, color="#555555",
  )  # fmt: skip
  names = [f"{drawing.label(row['expression'])}  (n = {row['loss_rate'].get('n') or 0})" for row in rows]
  axes.set_yticks(range(len(rows)), names)
  axes.set_ylim(len(rows) - 0.5, -0.5)
  axes.set_xlim(-0.02, 1.02)
  axes.set_xlabel("loss rate of QM-VAE, with 95 % interval")
  return figure
