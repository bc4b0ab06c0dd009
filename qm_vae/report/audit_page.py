"""Writes the figures and the self-contained `audit.html` of an audit from its `audit.json` and `audit.npz`."""

from qm_vae.report import attacks, drawing, files, rendering, tables, tables_faces, tables_privacy
from qm_vae.report.figures import privacy as figures_privacy

OUTCOMES = {
  0: "no objection, as far as these attackers can tell",
  1: "incomplete, some pictures could not be judged",
  2: "void, a control failed",
  3: "failed, too many people are re-identified or pictures are not protected",
}
"""The verdict in words, by exit status."""


def audited(privacy):
  """The method that an audit is about, {} where there is none."""
  return next((one for one in privacy.get("methods") or () if one.get("kind") == "audited"), {})


def cases(arrays, which):
  """The pictures of the best or the worst cases, as dicts of original, protected, match (PNG or None) and rank.

  Args:
    arrays: content of `audit.npz`, {} without one; any of its keys may be missing.
    which: 'best' or 'worst'.
  """
  sides = {side: arrays.get(f"{which}_{side}", ()) for side in ("original", "protected", "match")}
  ranks = arrays.get(f"{which}_rank", ())
  return [
    {side: drawing.image_png(images[i]) if i < len(images) else None for side, images in sides.items()}
    | {"rank": int(ranks[i]) if i < len(ranks) else None}
    for i in range(max(map(len, sides.values())))
  ]


def render(report, arrays, drawn):
  """The page as text, which loads nothing; as `page.render`.

  Args:
    report: content of `audit.json`.
    arrays: content of `audit.npz`, {} without one.
    drawn: {figure name: PNG bytes or None}.
  """
  privacy = report.get("privacy") or {}
  method = audited(privacy)
  face_columns, kept = tables_faces.table(report.get("utility") or {})
  status = (report.get("verdict") or {}).get("exit")
  return rendering.template("audit.html").render(
    report=report,
    figures=drawn,
    privacy=tables_privacy.common(privacy, method),
    headline=attacks.headline(privacy, method),
    audited=tables_privacy.shown(privacy, method),
    references=[tables_privacy.shown(privacy, one) for one in privacy.get("methods") or () if one is not method],
    outcome=OUTCOMES.get(status),
    best=cases(arrays, "best"),
    worst=cases(arrays, "worst"),
    interval_methods=tables.interval_methods(report),
    kept=kept,
    face_columns=face_columns,
    conclusion=tables_faces.conclusion(
      (report.get("utility") or {}).get("methods"), privacy, method.get("name"), "the protected pictures are"
    ),
    why=lambda section: tables.reason(report, section),
  )


def write(folder):
  """Writes `figures/*.png` and `audit.html` beside an audit's result files, as `rendering.write` does.

  Args:
    folder: with `audit.json` and, for pictures, `audit.npz`.

  Returns:
    pathlib.Path of `audit.html`.

  Raises:
    UnreadableReport: see `files.read`.
  """
  report, arrays = files.read(folder, files.AUDIT)
  privacy = report.get("privacy") or {}
  figures = figures_privacy.of_method(privacy, audited(privacy))
  return rendering.write(folder, "audit.html", figures, lambda drawn: render(report, arrays, drawn))
