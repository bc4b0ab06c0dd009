"""Pictures: grids of original, views and output (the paper's Figs. 5, 7) and one case from frame to frame (13, 14)."""

from matplotlib.patches import Rectangle

from qm_vae.report import drawing

GRID_ROWS = 12  # faces in figures/examples.png; the page shows all


def example_columns(report, arrays):
  """[(method name, images uint8 [E, H, W, 3])] in the order of `report['methods']`, controls left out.

  Args:
    report: dict with `methods`.
    arrays: dict with `method_<name>`.
  """
  shown = [m["name"] for m in report.get("methods") or () if m.get("kind") != "control"]
  return [(name, arrays[f"method_{name}"]) for name in shown if f"method_{name}" in arrays]


def captions(example, names):
  """[(answer or None, lost)] for the original and each method of one example.

  Args:
    example: {'service_answer_original', 'service_answer_output'} and, where the views were asked too,
      'answers': {method name: answer}.
    names: method names, in the order of the columns.

  Returns:
    One pair per column, the original's first; `lost` is True where the answer is known and differs from the original's.
  """
  before = example.get("service_answer_original")
  answers = {"qm_vae": example.get("service_answer_output"), **(example.get("answers") or {})}
  after = [answers.get(name) for name in names]
  return [(before, False)] + [(answer, before is not None and answer not in (None, before)) for answer in after]


def examples(report, arrays):
  """Figs. 5 and 7: a row per face, columns for original, views and output, the service's answers beneath.

  Returns:
    Figure, or None without pictures.
  """
  if "original" not in arrays or not len(arrays["original"]):
    return None
  columns = [("original", arrays["original"]), *example_columns(report, arrays)]
  described = report.get("examples") or []
  rows = min(len(arrays["original"]), GRID_ROWS)
  side = drawing.WIDTH / len(columns)
  figure = drawing.new_figure(0.3 + rows * (side + 0.2))
  figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
  panels = figure.subplots(rows, len(columns), squeeze=False)
  for row in range(rows):
    example = described[row] if row < len(described) else {}
    texts = captions(example, [name for name, _ in columns[1:]])
    for panel, (name, images), (answer, lost) in zip(panels[row], columns, texts, strict=True):
      _show(panel, images[row])
      if row == 0:
        panel.set_title(drawing.label(drawing.title(name)), fontsize=9)
      _answer(panel, answer, lost)
  return figure


LOOK_ROWS = (("original", "original"), ("output", "QM-VAE"), ("mean", "aligned\nmean"))
"""What the page's first picture shows, from top to bottom, and what it is called there."""


def first_look(arrays):
  """A few test faces as they were, by QM-VAE, and as the mean of aligned strangers: crops, then in their frames.

  Args:
    arrays: dict with `look_original`, `look_output`, `look_mean` [E, S, S, 3], and the same as `look_frames_*`.

  Returns:
    Figure, or None without these pictures.
  """
  if any(f"look_{name}" not in arrays or f"look_frames_{name}" not in arrays for name, _ in LOOK_ROWS):
    return None
  columns = len(arrays["look_original"])
  frames = len(arrays["look_frames_original"])
  height, width = arrays["look_frames_original"].shape[1:3]
  side, tall = drawing.WIDTH / (columns + 0.8), drawing.WIDTH / (frames + 0.4) * height / width
  figure = drawing.new_figure(3 * (side + tall) + 0.5)
  figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
  upper, lower = figure.subfigures(2, 1, height_ratios=(side, tall))
  for part, prefix, count in ((upper, "look_", columns), (lower, "look_frames_", frames)):
    panels = part.subplots(3, count, squeeze=False)
    for row, (name, title) in zip(panels, LOOK_ROWS, strict=True):
      for panel, image in zip(row, arrays[prefix + name], strict=True):
        _show(panel, image)
      row[0].set_ylabel(title, fontsize=9)
  return figure


def case(report, arrays):
  """Figs. 13 and 14: the frame with its face box, the crop, its views, the output, and the frame given back.

  Args:
    report: dict; `case` = {'views': [names], 'service_answer_original', 'service_answer_output'} labels the pictures.
    arrays: dict with `case_frame`, `case_box` (x, y, side in pixels of the frame), `case_crop`, `case_views`,
      `case_output`, `case_pasted`.

  Returns:
    Figure, or None where one of the pictures is missing.
  """
  needed = ("case_frame", "case_box", "case_crop", "case_views", "case_output", "case_pasted")
  if any(name not in arrays for name in needed):
    return None
  frame, pasted = arrays["case_frame"], arrays["case_pasted"]
  case_row = report.get("case") or {}
  views = list(arrays["case_views"])
  names = case_row.get("views") or [m["name"] for m in report.get("methods") or () if m.get("kind") == "view"]
  names = (
    [drawing.title(n) for n in names] if len(names) == len(views) else [f"view {i + 1}" for i in range(len(views))]
  )
  strip = [("2  crop", arrays["case_crop"]), *zip(names, views, strict=True), ("4  output", arrays["case_output"])]
  height, width = frame.shape[:2]
  big = min((drawing.WIDTH - 0.3) / 2 * height / width, 4.5)
  figure = drawing.new_figure(big + drawing.WIDTH / len(strip) + 1.1)
  upper, lower = figure.subfigures(2, 1, height_ratios=(big + 0.35, drawing.WIDTH / len(strip) + 0.55))
  before, after = upper.subplots(1, 2)
  for panel, image, text in ((before, frame, "1  frame, face found"), (after, pasted, "5  frame given back")):
    _show(panel, image)
    panel.set_title(text, fontsize=10)
  x, y, side = (float(value) for value in arrays["case_box"])
  # Two strokes, so that the box shows on dark and on light. None on the frame given back: it would hide the seam.
  for colour, width in (("white", 3), (drawing.BLUE, 1.5)):
    before.add_patch(Rectangle((x - 0.5, y - 0.5), side, side, fill=False, edgecolor=colour, linewidth=width))
  panels = lower.subplots(1, len(strip), squeeze=False)[0]
  (_, _), (answer, lost) = captions(case_row, ["qm_vae"])
  beneath = {0: (case_row.get("service_answer_original"), False), len(strip) - 1: (answer, lost)}
  for i, (panel, (text, image)) in enumerate(zip(panels, strip, strict=True)):
    _show(panel, image)
    panel.set_title(("3  " if i == 1 else "") + drawing.label(text), fontsize=9)
    _answer(panel, *beneath.get(i, (None, False)))
  return figure


def _answer(panel, answer, lost):
  if answer is not None:
    text = ("✗ " if lost else "") + drawing.label(answer)
    panel.set_xlabel(text, fontsize=8, color=drawing.VERMILLION if lost else drawing.INK, labelpad=2)


def _show(panel, image):
  panel.imshow(image)
  panel.set_xticks([])
  panel.set_yticks([])
  panel.spines[:].set_visible(False)
