"""How the service's class probabilities move from original to output (the paper's Figs. 9 and 10)."""

import math

import numpy as np
from matplotlib.lines import Line2D

from qm_vae.report import drawing


def probability_scatter(classes, original, output):
  """Fig. 9: one panel per class, probability on the original against probability on the output, one point per face.

  Args:
    classes: C names.
    original: [N, C] float, the service's probabilities on the originals.
    output: [N, C] float, the same on the outputs.

  Returns:
    Figure, or None without faces.
  """
  if original is None or output is None or not len(original):
    return None
  lost = np.argmax(original, 1) != np.argmax(output, 1)
  columns = min(4, len(classes))
  rows = math.ceil(len(classes) / columns)
  figure = drawing.new_figure(0.75 + 1.5 * rows)
  panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
  for panel in panels.flat[len(classes) :]:
    panel.set_visible(False)
  for c, (panel, name) in enumerate(zip(panels.flat, classes, strict=False)):
    drawing.tidy(panel, grid="both")
    panel.plot((0, 1), (0, 1), color=drawing.FAINT, linewidth=1)
    panel.plot(original[~lost, c], output[~lost, c], ".", color=drawing.BLUE, markersize=3.5, alpha=0.55)
    panel.plot(original[lost, c], output[lost, c], "x", color=drawing.VERMILLION, markersize=4, alpha=0.85)
    panel.set_title(drawing.label(name), fontsize=10)
    panel.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), aspect="equal")
    panel.set_xticklabels(("0", ".5", "1"))
    panel.set_yticklabels(("0", ".5", "1"))
    if c + columns >= len(classes):  # nothing stands below this panel
      panel.tick_params(labelbottom=True)
  figure.supxlabel("probability on the original", fontsize=10)
  figure.supylabel("probability on the output", fontsize=10)
  handles = [
    Line2D([], [], color=drawing.BLUE, marker=".", linestyle="", label=f"answer kept ({int((~lost).sum())})"),
    Line2D([], [], color=drawing.VERMILLION, marker="x", linestyle="", label=f"answer lost ({int(lost.sum())})"),
  ]
  figure.legend(handles=handles, loc="outside upper left", ncols=2, frameon=False, fontsize=9)
  return figure


def probability_differences(probabilities):
  """Fig. 10: mean change of each class's probability (output less original), bars of one standard deviation.

  Args:
    probabilities: {'classes': C names, 'mean_difference': C numbers, 'std_difference': C numbers}.

  Returns:
    Figure, or None where it was not measured.
  """
  probabilities = probabilities or {}
  classes = probabilities.get("classes")
  if not classes or not probabilities.get("mean_difference"):
    return None
  mean = [drawing.finite(value) for value in probabilities["mean_difference"]]
  spread = [drawing.finite(value) for value in probabilities.get("std_difference") or [None] * len(mean)]
  figure = drawing.new_figure(2.9)
  axes = figure.subplots()
  drawing.tidy(axes)
  axes.axhline(0, color=drawing.INK, linewidth=1)
  axes.errorbar(
    range(len(mean)), mean, yerr=spread, fmt="o", color=drawing.BLUE, ecolor=drawing.BLUE, capsize=4, elinewidth=1.5
  )
  axes.set_xticks(range(len(mean)), [drawing.label(name) for name in classes], rotation=30, ha="right")
  axes.set_ylabel("output − original\n(mean ± 1 standard deviation)")
  return figure
