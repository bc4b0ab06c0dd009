"""What the page says of QM-VAE beside the aligned mean."""

import fabricated_run
import page_reader
import pytest

from qm_vae.report import page, tables_faces


def test_tables_faces_rows_hold_methods_then_floors():
  """Every method has a row, and the instruments' floors are last."""
  rows = tables_faces.rows(fabricated_run.report())
  names = [row["name"] for row in rows]
  assert names[:2] == ["identity", "blank"] and names[-2:] == ["jpeg95", "two halves of the originals"]
  assert all(len(row["measures"]) == len(tables_faces.COLUMNS) for row in rows)


@pytest.mark.parametrize(
  ("ours", "sentence"),
  [
    ((0.05, 0.04, 0.06), "QM-VAE is better in the service's answer."),
    ((0.16, 0.12, 0.20), "QM-VAE is no different in the service's answer."),
    ((0.40, 0.35, 0.45), "QM-VAE is worse in the service's answer."),
  ],
)
def test_conclusion_compares_intervals(ours, sentence):
  """Only intervals that do not overlap make one method better than the other."""
  rate = lambda value, low, high: {"value": value, "low": low, "high": high, "n": 200}
  methods = [
    {"name": "qm_vae", "loss_rate": rate(*ours)},
    {"name": "aligned_mean", "loss_rate": rate(0.16, 0.12, 0.21)},
  ]
  assert tables_faces.conclusion(methods, {}, "qm_vae", "QM-VAE is").endswith(sentence)


def test_conclusion_without_the_yardstick():
  """Reports of earlier versions have no aligned mean, and no conclusion is drawn."""
  assert tables_faces.conclusion([{"name": "qm_vae"}], {}, "qm_vae", "QM-VAE is") == ""


def test_table_leaves_out_what_no_row_has():
  """Columns that nothing fills are left out, of head and rows alike."""
  report = fabricated_run.report()
  for method in report["methods"]:
    method["seam"] = method["pipeline_no_face"] = None
  columns, rows = tables_faces.table(report)
  keys = [key for key, _, _ in columns]
  assert "found_again" in keys and not {"seam", "cascade"} & set(keys)
  assert all(len(row["measures"]) == len(columns) for row in rows)


def test_page_names_detector_and_memorisation():
  """The page names who looked for faces, says what the cascade found, and whether training people are handed out."""
  report = fabricated_run.report()
  text = page_reader.Reader(page.render(report, {}, {})).text
  assert "Found again: by centerface.onnx" in text and "0.965" in text  # of the cascade: 1 less 0.035
  assert "Does it reproduce training faces?" in text and "0.412" in text
  report["face_detector"], report["not_measured"] = None, {"found_again": "no weights", "memorization": "nobody known"}
  for method in report["methods"]:
    method["memorization"] = method["found_again"] = None
  text = page_reader.Reader(page.render(report, {}, {})).text
  assert "Found again: not measured, no weights" in text and "not measured: nobody known" in text
