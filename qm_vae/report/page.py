"""Writes the figures and the self-contained `report.html` of a run from its `report.json` and `evaluation.npz`."""

from qm_vae.report import drawing, files, published, rendering, tables, tables_faces, tables_privacy
from qm_vae.report.figures import curves, frontier, rates, tradeoff
from qm_vae.report.figures import images as figures_images
from qm_vae.report.figures import privacy as figures_privacy
from qm_vae.report.figures import probabilities as figures_probabilities


def figures(report, arrays):
  """All figures of a run by file name (without '.png'); None where there was nothing to draw.

  Args:
    report: content of `report.json`.
    arrays: content of `evaluation.npz`, {} without one.
  """
  probabilities = report.get("probabilities") or {}
  classes = probabilities.get("classes") or (report.get("service") or {}).get("classes") or ()
  before, after = (arrays.get(f"probabilities_{side}") for side in ("original", "output"))
  privacy = report.get("privacy") or {}
  ours = tables.method(privacy, "qm_vae")
  return {
    "first_look": figures_images.first_look(arrays),
    "loss_rates": rates.loss_rates(report),
    "per_expression": rates.per_expression(report),
    "loss_rate_over_epochs": curves.loss_rate_over_epochs(report),
    "probability_scatter": figures_probabilities.probability_scatter(classes, before, after) if classes else None,
    "probability_differences": figures_probabilities.probability_differences(probabilities),
    "examples": figures_images.examples(report, arrays),
    "case": figures_images.case(report, arrays),
    "privacy_utility": tradeoff.privacy_utility(report),
    "frontier": frontier.frontier([("", report)]),
    **{f"privacy_{name}": figure for name, figure in figures_privacy.of_method(privacy, ours).items()},
  }


def example_rows(report, arrays):
  """The picture grid of the page: (column titles, [(example, [(PNG bytes, answer, lost) per column])])."""
  if "original" not in arrays:
    return [], []
  columns = figures_images.example_columns(report, arrays)
  described = report.get("examples") or []
  rows = []
  for i, original in enumerate(arrays["original"]):
    example = described[i] if i < len(described) else {}
    texts = figures_images.captions(example, [name for name, _ in columns])
    pictures = [original, *(images[i] for _, images in columns)]
    rows.append((example, [(drawing.image_png(p), *text) for p, text in zip(pictures, texts, strict=True)]))
  return ["original", *(name for name, _ in columns)], rows


def render(report, arrays, drawn):
  """The page as text.

  Args:
    report: content of `report.json`.
    arrays: content of `evaluation.npz`, {} without one.
    drawn: {figure name: PNG bytes or None}.

  Returns:
    HTML that loads nothing: every picture is inside, there is no script, and a policy in its head forbids requests.
  """
  columns, rows = example_rows(report, arrays)
  face_columns, kept = tables_faces.table(report)
  expression_methods, expression_rows = tables.expressions(report)
  return rendering.template("page.html").render(
    report=report,
    figures=drawn,
    headline=tables.headline(report),
    methods=tables.methods(report),
    kept=kept,
    conclusion=tables_faces.conclusion(report.get("methods"), report.get("privacy") or {}, "qm_vae", "QM-VAE is"),
    face_columns=face_columns,
    memorized=tables_faces.memorized(report),
    qm_vae=tables.method(report, "qm_vae"),
    floor=tables.pipeline_floor(report),
    judge_names=tables.judge_names(report),
    expression_methods=expression_methods,
    expression_rows=expression_rows,
    judged_rows=tables.judged_expressions(report),
    asked=tables.asked(report),
    example_columns=columns,
    example_rows=rows,
    interval_methods=tables.interval_methods(report),
    differences=published.differences(report),
    published=published,
    tables=tables,
    privacy=tables_privacy.of_run(report),
    why=lambda section: tables.reason(report, section),
  )


def write(workdir):
  """Writes `figures/*.png` and `report.html` beside a run's result files, as `rendering.write` does.

  Args:
    workdir: folder with `report.json` and `evaluation.npz`.

  Returns:
    pathlib.Path of `report.html`.

  Raises:
    UnreadableReport: see `files.read`.
  """
  report, arrays = files.read(workdir)
  return rendering.write(workdir, "report.html", figures(report, arrays), lambda drawn: render(report, arrays, drawn))
