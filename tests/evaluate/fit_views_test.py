"""Fitting a view to a loss rate, against answers that are known."""

import numpy as np

from qm_vae import types
from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.evaluate import fitted_views
from qm_vae.report import published


def _faces(count):
  random = np.random.default_rng(0)
  return types.FaceSet(
    image=random.integers(0, 256, (count, 16, 16, 3)).astype(np.uint8),
    mask=np.ones((count, 16, 16, 1), np.uint8),
    eyes=np.tile(np.float32([5, 6, 11, 6]), (count, 1)),
    box=np.zeros((count, 3), np.float32),
    identity=np.arange(count, dtype=np.int32),
    label=np.full(count, -1, np.int32),
    index=np.arange(count, dtype=np.int32),
    name=tuple(map(str, range(count))),
    classes=(),
    identities=(),
    missed=(),
  )


def _bright_or_dark():
  """A service of two classes: whether the picture's mean is above its parameter."""
  import jax.numpy as jnp

  def apply(threshold, image):
    mean = jnp.mean(image, (-3, -2, -1))
    return jnp.stack([threshold - mean, mean - threshold], -1)

  return types.Service(np.float32(0.25), apply, ("dark", "bright"))


def test_fit_views_nearest_first_of_equals():
  """The nearest rate wins, of two as near the milder setting."""
  assert fitted_views.nearest((4, 6, 8), (0.1, 0.3, 0.5), 0.39) == 6
  assert fitted_views.nearest((4, 6, 8), (0.1, 0.25, 0.75), 0.5) == 6


def test_fit_views_counts_changed_answers():
  """Black pictures lose every bright answer, a mosaic, which keeps the mean, none; over more than one batch."""
  faces, service = _faces(100), _bright_or_dark()
  faces.image[:30] //= 4  # dark before and after
  truth = fitted_views.answers(service, faces.image)
  np.testing.assert_array_equal(truth, np.arange(100) >= 30)
  lost = fitted_views.lost(DEIDENTIFIERS["solid"](), faces, service, truth)
  np.testing.assert_array_equal(lost, truth == 1)
  assert not fitted_views.lost(DEIDENTIFIERS["mosaic"](block=8), faces, service, truth).any()


def test_fit_views_candidates_are_views_of_the_paper():
  """Every view that is fitted has a row in the paper, and every value is allowed."""
  for name, (option, values) in fitted_views.CANDIDATES.items():
    assert name in published.LOSS_RATES and list(values) == sorted(values)
    for value in (values[0], values[-1]):
      DEIDENTIFIERS[name](**{option: value})
