"""Rows of metrics.jsonl, and pictures on request; writers_test.py has the further writers."""

import numpy as np

from qm_vae.io import images, records


def test_records_rows_come_back_cut_last(tmp_path):
  """Rows come back and a cut last line is left out."""
  one = records.Writer(tmp_path)
  one.scalars(3, "train", {"loss": 0.5}, epoch=1)
  one.scalars(3, "test", {"error": 0.25}, epoch=1)
  one.close()
  with (tmp_path / "metrics.jsonl").open("a") as file:
    file.write('{"step": 4, "sp')
  rows = records.read_rows(tmp_path)
  assert rows == [
    {"step": 3, "split": "train", "epoch": 1, "loss": 0.5},
    {"step": 3, "split": "test", "epoch": 1, "error": 0.25},
  ]
  records.rewind(tmp_path, 2)
  assert records.read_rows(tmp_path) == []
  assert records.read_rows(tmp_path / "nowhere") == []


def test_records_samples_pictures(tmp_path):
  """Samples are pictures."""
  one = records.Writer(tmp_path, samples=True)
  assert one.wants_images
  one.image(7, "grid", np.full((2, 3, 3), 0.5, np.float32))
  one.close()
  (path,) = (tmp_path / "samples").iterdir()
  assert path.name == "00000007.png"
  np.testing.assert_array_equal(images.read_image(path), np.full((2, 3, 3), 128))


def test_records_file_replaced_whole(tmp_path):
  """A file is replaced whole."""
  path = tmp_path / "a.json"
  records.write_text(path, "one")
  records.write_text(path, "two")
  assert path.read_text() == "two"
  assert list(tmp_path.iterdir()) == [path]
