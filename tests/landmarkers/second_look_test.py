"""The second look at a face sees it upright, and what it finds is brought back."""

import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae.landmarkers import second_look
from tests.support.landmarks import frontal

SIDE, SIZE = 96, 32


@pytest.mark.parametrize("angle", [0.0, 0.6, -0.4])
def test_again_finds_what_lies_in_the_image(angle):
  """A place found in the square is the place of the image that the square shows there."""
  rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32) + 0.5
  image = jnp.asarray(np.stack([columns, rows, rows], -1))[None]  # each pixel's colour is its place
  turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
  points = ((frontal(30) - 15) @ turn.T + (50, 45)).astype(np.float32)
  where = np.random.default_rng(0).integers(2, SIZE - 2, (68, 2))
  shown = []

  def look(square):
    shown.append(np.asarray(square)[0])
    return jnp.asarray(where[None] + 0.5)

  found = np.asarray(second_look.again(image, jnp.asarray(points)[None], look, SIZE))[0]
  np.testing.assert_allclose(found, shown[0][where[:, 1], where[:, 0], :2], atol=1e-3)  # float32 at 100 pixels


def test_again_is_upright_and_whole():
  """A rolled face is turned upright, and the square holds all first landmarks."""
  rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32) + 0.5
  turn = np.array([[0.8, -0.6], [0.6, 0.8]])
  points = ((frontal(30) - 15) @ turn.T + (50, 45)).astype(np.float32)
  marks = lambda p: np.exp(-((columns - p[0]) ** 2 + (rows - p[1]) ** 2) / 4)
  left, right = points[36:42].mean(0), points[42:48].mean(0)
  image = jnp.asarray(np.stack([marks(left), marks(right), 0 * rows], -1))[None].astype(jnp.float32)
  squares = []
  second_look.again(image, jnp.asarray(points)[None], lambda x: squares.append(x) or jnp.zeros((1, 68, 2)), SIZE)
  (left_row, left_column), (right_row, right_column) = (
    np.unravel_index(np.asarray(squares[0])[0, ..., i].argmax(), (SIZE, SIZE)) for i in (0, 1)
  )
  assert abs(int(left_row) - int(right_row)) <= 1
  assert 4 < left_column < right_column < SIZE - 4
