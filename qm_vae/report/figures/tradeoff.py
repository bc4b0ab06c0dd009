"""What is lost for the service against who is recognised, one point per method."""

import math

from qm_vae.report import attacks, drawing, tables


def privacy_utility(report):
  """Loss rate against the strongest attack's rank-1 rate, both with intervals: one point per method, best at 0, 0.

  A method without a loss rate, such as the union of all views, is a horizontal line with its interval as a band.

  Args:
    report: dict with `privacy` and `methods`.

  Returns:
    Figure, or None where no method was attacked.
  """
  privacy = report.get("privacy") or {}
  shown = [one for one in privacy.get("methods") or () if ((one.get("headline") or {}).get("rank_1"))]
  if not shown:
    return None
  figure = drawing.new_figure(4.6)
  axes = figure.subplots()
  drawing.tidy(axes, grid="both")
  groups = iter(drawing.GROUPS[1:] * (1 + len(shown) // 6))
  for one in shown:
    if one.get("kind") == "control":
      colour, marker = drawing.FAINT, "o" if one["name"] == "identity" else "s"
    else:
      colour, marker = drawing.GROUPS[0] if one["name"] == "qm_vae" else next(groups)
    _point(axes, one, tables.method(report, one["name"]).get("loss_rate"), colour, marker)
  people = attacks.largest_crowd(privacy)
  _, clear = attacks.strongest(privacy.get("clear"), people)
  levels = [(shown[0]["headline"].get("chance"), ":", "chance"), ((clear or {}).get("value"), "--", "clear pictures")]
  for value, linestyle, name in levels:
    axes.axhline(drawing.finite(value), color=drawing.INK, linestyle=linestyle, linewidth=1.2, zorder=1, label=name)
  axes.annotate(
    "better", (0.03, 0.05), (0.13, 0.16), xycoords="axes fraction", fontsize=9, color="#555555",
    arrowprops={"arrowstyle": "->", "color": "#555555"},
  )  # fmt: skip
  axes.set_xlim(-0.02, 1.02)
  axes.set_ylim(-0.02, 1.02)
  axes.set_xlabel("loss rate: share of faces on which the service's answer changes")
  axes.set_ylabel(f"re-identified at rank 1 of {people}\nby the strongest attack")
  handles, _ = axes.get_legend_handles_labels()
  figure.legend(handles=handles, loc="outside upper left", ncols=3, frameon=False, fontsize=9)
  return figure


def _point(axes, method, loss, colour, marker):
  """One method; hollow for a control, larger for QM-VAE."""
  y, below, above = drawing.interval(method["headline"]["rank_1"])
  name = drawing.label(drawing.title(method["name"]))
  x, left, right = drawing.interval(loss)
  if math.isnan(x):
    axes.axhline(y, color=colour, linewidth=1.6, label=f"{name} (no loss rate)", zorder=1.5)
    axes.axhspan(y - below, y + above, color=colour, alpha=0.12, linewidth=0, zorder=1)
    return
  ours = method["name"] == "qm_vae"
  axes.errorbar(
    x, y, xerr=[[left], [right]], yerr=[[below], [above]], fmt=marker, color=colour, markersize=9 if ours else 6.5,
    mfc="white" if method.get("kind") == "control" else colour, elinewidth=1.5, capsize=2.5, label=name,
    zorder=4 if ours else 3,
  )  # fmt: skip
