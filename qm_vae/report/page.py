"""Writes the figures and the self-contained `report.html` of a run from its `report.json` and `evaluation.npz`."""

import base64
import json
import pathlib

import jinja2

from qm_vae.report import (
  drawing,
  figures_curves,
  figures_images,
  figures_probabilities,
  figures_rates,
  files,
  published,
  tables,
)


def figures(report, arrays):
  """All figures of a run by file name (without '.png'); None where there was nothing to draw.

  Args:
    report: content of `report.json`.
    arrays: content of `evaluation.npz`, {} without one.
  """
  probabilities = report.get("probabilities") or {}
  classes = probabilities.get("classes") or (report.get("service") or {}).get("classes") or ()
  before, after = (arrays.get(f"probabilities_{side}") for side in ("original", "output"))
  return {
    "loss_rates": figures_rates.loss_rates(report),
    "per_expression": figures_rates.per_expression(report),
    "loss_rate_over_epochs": figures_curves.loss_rate_over_epochs(report),
    "probability_scatter": figures_probabilities.probability_scatter(classes, before, after) if classes else None,
    "probability_differences": figures_probabilities.probability_differences(probabilities),
    "examples": figures_images.examples(report, arrays),
    "case": figures_images.case(report, arrays),
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


def data_uri(content):
  """PNG bytes as the value of an `src` attribute."""
  return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def pretty(value):
  """Nested values as indented JSON in which only the line feeds of the layout are real ones."""
  return "\n".join(drawing.visible(line) for line in json.dumps(value, indent=2, ensure_ascii=False).split("\n"))


def render(report, arrays, drawn):
  """The page as text.

  Args:
    report: content of `report.json`.
    arrays: content of `evaluation.npz`, {} without one.
    drawn: {figure name: PNG bytes or None}.

  Returns:
    HTML that loads nothing: every picture is inside, there is no script, and a policy in its head forbids requests.
  """
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.ChainableUndefined,  # any part of a report may be missing
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.filters.update(
    data_uri=data_uri,
    number=tables.number,
    title=drawing.title,
    visible=drawing.visible,
    pretty=pretty,
  )
  columns, rows = example_rows(report, arrays)
  expression_methods, expression_rows = tables.expressions(report)
  return environment.get_template("page.html").render(
    report=report,
    figures=drawn,
    headline=tables.headline(report),
    methods=tables.methods(report),
    qm_vae=tables.method(report, "qm_vae"),
    floor=tables.pipeline_floor(report),
    judge_names=tables.judge_names(report),
    expression_methods=expression_methods,
    expression_rows=expression_rows,
    example_columns=columns,
    example_rows=rows,
    interval_methods=tables.interval_methods(report),
    differences=published.differences(report),
    published=published,
    tables=tables,
    why=lambda section: tables.reason(report, section),
  )


def write(workdir):
  """Writes `figures/*.png` and `report.html` beside a run's result files; safe to repeat, each file replaced at once.

  A figure of an earlier rendering for which there are no numbers any more is removed.

  Args:
    workdir: folder with `report.json` and `evaluation.npz`.

  Returns:
    pathlib.Path of `report.html`.

  Raises:
    UnreadableReport: see `files.read`.
  """
  workdir = pathlib.Path(workdir)
  report, arrays = files.read(workdir)
  folder = workdir / "figures"
  folder.mkdir(exist_ok=True)
  drawn = {}
  for name, figure in figures(report, arrays).items():
    path = folder / f"{name}.png"
    drawn[name] = figure and drawing.png(figure)
    if figure is None:
      path.unlink(missing_ok=True)
    else:
      files.write_aside(path, drawn[name])
  path = workdir / "report.html"
  files.write_aside(path, render(report, arrays, drawn).encode("utf-8", "backslashreplace"))
  return path
