"""McNemar's exact test: against the binomial sum and a published example."""

import math

import numpy as np
import pytest

from qm_vae.metrics import paired


def cases(both, first_only, second_only, neither):
  first = [1] * (both + first_only) + [0] * (second_only + neither)
  second = [1] * both + [0] * first_only + [1] * second_only + [0] * neither
  return np.array(first), np.array(second)


@pytest.mark.parametrize("counts", [(3, 9, 2, 5), (0, 1, 0, 0), (10, 4, 4, 1), (0, 0, 7, 3)])
def test_mcnemar_equals_the_binomial_sum(counts):
  """Twice the tail of a fair coin among the cases that differ, at most 1."""
  found = paired.mcnemar(*cases(*counts))
  _, ahead, behind, _ = counts
  n = ahead + behind
  tail = sum(math.comb(n, k) for k in range(min(ahead, behind) + 1)) / 2**n
  assert found["p"] == pytest.approx(min(1.0, 2 * tail), rel=1e-12)
  assert [found[key] for key in ("both", "first_only", "second_only", "neither")] == list(counts)
  assert found["n"] == sum(counts)


def test_mcnemar_without_difference_and_without_cases():
  """Equal answers prove nothing, and no cases are refused."""
  assert paired.mcnemar([True, False], [True, False])["p"] == 1
  with pytest.raises(ValueError, match="same cases"):
    paired.mcnemar([True], [True, False])
  with pytest.raises(ValueError, match="same cases"):
    paired.mcnemar([], [])
