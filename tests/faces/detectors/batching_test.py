"""Batches of what several threads ask for: the same answers, fewer calls, and each its own error."""

import concurrent.futures
import threading

import numpy as np
import pytest

from qm_vae.faces import detectors
from qm_vae.faces.detectors import batching, centerface, weights


def test_batched_waiting_requests_run_together():
  """While one batch runs the others gather, and each gets its own answer."""
  sizes, begun, go_on = [], threading.Event(), threading.Event()

  def run(x):
    sizes.append(len(x))
    begun.set()
    assert go_on.wait(30)
    return [x * 2, x.sum((1, 2))]

  batched = batching.Batched(run, most=4)
  with concurrent.futures.ThreadPoolExecutor(6) as pool:
    asked = [pool.submit(batched, np.full((1, 2, 3), float(i))) for i in range(6)]
    assert begun.wait(30)
    while len(batched._waiting) < 6 - sizes[0]:
      threading.Event().wait(0.01)
    go_on.set()
    for i, one in enumerate(asked):
      doubled, total = one.result(30)
      np.testing.assert_array_equal(doubled, np.full((1, 2, 3), 2.0 * i))
      np.testing.assert_array_equal(total, [6.0 * i])
  assert sum(sizes) == 6 and max(sizes) == 4 and len(sizes) == 3


def test_batched_other_shapes_and_errors():
  """Pictures of another size are another batch, and an error reaches its caller."""

  def run(x):
    if x.shape[1] == 3:
      raise ValueError("no such size")
    return [x]

  batched = batching.Batched(run)
  assert batched(np.zeros((1, 2)))[0].shape == (1, 2)
  with pytest.raises(ValueError, match="no such size"):
    batched(np.zeros((1, 3)))
  assert batched(np.zeros((1, 2)))[0].shape == (1, 2)


@pytest.mark.skipif(weights.centerface() is None, reason="CenterFace's weights are not installed")
def test_batched_centerface_finds_the_same(monkeypatch):
  """Frames that are searched together have the same faces as frames that are searched one by one."""
  images = np.random.default_rng(0).integers(0, 256, (4, 64, 96, 3), dtype=np.uint8)
  alone = detectors.open_detector("centerface", threshold=0.02)
  real = centerface._maps
  monkeypatch.setattr(centerface, "_maps", lambda *given, together: real(*given, together=True))
  together = detectors.open_detector("centerface", threshold=0.02)
  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    found = list(pool.map(together.find, images))
  for image, one in zip(images, found, strict=True):
    expected = alone.find(image)
    np.testing.assert_allclose(one.boxes, expected.boxes, atol=1e-2)
    np.testing.assert_allclose(one.scores, expected.scores, atol=1e-4)
