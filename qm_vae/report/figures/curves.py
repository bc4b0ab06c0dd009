"""Loss rate over epochs (the paper's Fig. 6), for the service in the loss and for the judges outside it."""

import math

from matplotlib.ticker import MaxNLocator

from qm_vae.report import drawing, published


def paper_line(axes):
  """Draws the paper's headline as a labelled horizontal line."""
  axes.axhline(published.HEADLINE, color=drawing.INK, linestyle=":", linewidth=1.3, zorder=1)
  axes.annotate(
    f"paper {published.HEADLINE:.2f}", (0, published.HEADLINE), xycoords=("axes fraction", "data"),
    xytext=(3, 2), textcoords="offset points", fontsize=9, color=drawing.INK,
  )  # fmt: skip


def loss_rate_over_epochs(report):
  """Fig. 6 of one run: test loss rate by the service and by each judge, and below it the reconstruction error.

  The intervals at the right end are those of the final evaluation; the curve itself carries none.

  Args:
    report: dict with `curve`, a list of {'epoch', 'loss_rate', 'judges': {name: rate}, 'mse'}.

  Returns:
    Figure, or None without a curve.
  """
  curve = report.get("curve") or []
  if not curve:
    return None
  with_mse = any(not math.isnan(drawing.finite(point.get("mse"))) for point in curve)
  figure = drawing.new_figure(4.6 if with_mse else 3.5)
  if with_mse:
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
  else:
    axes, below = figure.subplots(), None
  epochs = [point["epoch"] for point in curve]
  final = next((m for m in report.get("methods") or () if m["name"] == "qm_vae"), {})
  drawing.tidy(axes)
  paper_line(axes)
  marked = "o" if len(curve) < 15 else None
  axes.plot(
    epochs, [drawing.finite(point.get("loss_rate")) for point in curve], color=drawing.BLUE, marker=marked,
    markersize=4, linewidth=1.8, label="service (in the loss)",
  )  # fmt: skip
  _final_interval(axes, epochs[-1], final.get("loss_rate"), drawing.BLUE, "o")
  names = list(dict.fromkeys(name for point in curve for name in point.get("judges") or {}))
  for i, name in enumerate(names):
    colour = drawing.JUDGE_COLOURS[i % len(drawing.JUDGE_COLOURS)]
    marker = drawing.JUDGE_MARKERS[i % len(drawing.JUDGE_MARKERS)]
    values = [drawing.finite((point.get("judges") or {}).get(name)) for point in curve]
    axes.plot(
      epochs, values, color=colour, linewidth=1.8, linestyle="--", marker=marker if marked else None, markersize=4,
      label=f"judge {drawing.label(name)} (never in a loss)",
    )  # fmt: skip
    judged = next((judge for judge in final.get("judges") or () if judge["name"] == name), {})
    _final_interval(axes, epochs[-1], judged.get("service_answer"), colour, marker)
  axes.set_ylim(bottom=0)
  axes.set_ylabel("loss rate on the test faces")
  figure.legend(loc="outside upper left", frameon=False, fontsize=9)
  if with_mse:
    drawing.tidy(below)
    below.plot(epochs, [drawing.finite(point.get("mse")) for point in curve], color=drawing.GREEN, linewidth=1.8)
    below.set_ylim(bottom=0)
    below.set_ylabel("MSE, [0, 1]²")
    figure.align_ylabels()
  lowest = below if with_mse else axes
  lowest.set_xlabel("epoch")
  lowest.xaxis.set_major_locator(MaxNLocator(integer=True))
  return figure


def _final_interval(axes, epoch, rate, colour, marker):
  value, below, above = drawing.interval(rate)
  if not math.isnan(value):
    axes.errorbar(
      epoch, value, yerr=[[below], [above]], fmt=marker, color=colour, markersize=6, elinewidth=1.5, capsize=3
    )
