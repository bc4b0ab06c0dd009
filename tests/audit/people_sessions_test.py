"""The optional column of sessions in the CSV of an audit."""

import pytest

from qm_vae import types
from qm_vae.audit import people

NAMES = ["a/1.jpg", "a/2.jpg", "b/1.jpg"]


def write(tmp_path, text):
  path = tmp_path / "labels.csv"
  path.write_text(text)
  return path


def test_sessions_come_from_the_csv_where_it_names_them(tmp_path):
  """Equal names are one session, empty cells are unknown, and pictures are matched without their ending."""
  path = write(tmp_path, "image,identity,session\na/1.png,a,monday\na/2,a,monday\nb/1.jpg,b,\n")
  assert people.sessions(NAMES, path).tolist() == [0, 0, types.UNKNOWN]


def test_sessions_are_unknown_without_the_column(tmp_path):
  """The column is optional under its usual name, and must be there under another."""
  path = write(tmp_path, "image,identity\na/1.png,a\n")
  assert (people.sessions(NAMES, path) == types.UNKNOWN).all() and (people.sessions(NAMES) == types.UNKNOWN).all()
  with pytest.raises(ValueError, match="has no column 'clip'"):
    people.sessions(NAMES, path, session_column="clip")
  with pytest.raises(ValueError, match="--labels"):
    people.sessions(NAMES, session_column="clip")


def test_sessions_that_contradict_each_other_are_refused(tmp_path):
  """A picture has one session."""
  path = write(tmp_path, "image,identity,session\na/1.png,a,monday\na/1.png,a,tuesday\n")
  with pytest.raises(ValueError, match=r"two sessions.*a/1.png"):
    people.sessions(NAMES, path)
