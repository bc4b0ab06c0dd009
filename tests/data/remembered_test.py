"""Records are read once, and no more of them are kept than were allowed."""

import numpy as np

from qm_vae.data import synthetic
from qm_vae.data.remembered import Remembered


class Counting:
  """Counts what is asked for."""

  classes, identities, fingerprint = ("a",), ("b",), "c"

  def __init__(self):
    self.asked = []
    self._source = synthetic.make(num_people=4, frame_size=32)

  def __len__(self):
    return len(self._source)

  def __getitem__(self, index):
    self.asked.append(index)
    return self._source[index]


def test_remembered_reads_a_record_once():
  """A record that was asked for is not asked for again, and is the same."""
  source = Counting()
  kept = Remembered(source)
  first = [kept[i] for i in (3, 0, 3, 0, 3)]
  assert source.asked == [3, 0]
  np.testing.assert_array_equal(first[0].image, source._source[3].image)
  assert (len(kept), kept.classes, kept.fingerprint) == (8, ("a",), "c")
  assert getattr(kept, "session", None) is None


def test_remembered_keeps_no_more_than_allowed():
  """Past the limit records are read anew each time."""
  source = Counting()
  kept = Remembered(source, most=2 * 32 * 32 * 3)
  for _ in range(2):
    for i in range(4):
      kept[i]
  assert source.asked == [0, 1, 2, 3, 2, 3]
