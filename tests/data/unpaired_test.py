"""Two sets side by side."""

import numpy as np

from qm_vae.data.unpaired import Unpaired
from qm_vae.types import Table


def test_unpaired_smaller_set_starts_again():
  """The smaller set starts again."""
  first, second = Table({"image": np.arange(5)}), Table({"image": np.arange(10, 12), "eyes": np.arange(2)})
  pairs = Unpaired(first, second)
  assert len(pairs) == len(Unpaired(second, first)) == 5
  batch = pairs.batch(np.array([0, 3, 4]))
  assert sorted(batch) == ["image", "other_eyes", "other_image"]
  np.testing.assert_array_equal(batch["image"], [0, 3, 4])
  np.testing.assert_array_equal(batch["other_image"], [10, 11, 10])
