"""Direction of light against ellipsoids lit from known places."""

import numpy as np
import pytest

from qm_vae.metrics import color, lighting

EYES = np.array([60.0, 70, 140, 70])


def encoded(values):
  """uint8 sRGB [..., 3] of grey linear light in [0, 1]."""
  srgb = np.where(values <= 0.0031308, 12.92 * values, 1.055 * np.maximum(values, 1e-9) ** (1 / 2.4) - 0.055)
  return np.repeat(np.rint(255 * srgb).astype(np.uint8)[..., None], 3, -1)


def lit(direction, eyes=EYES, ambient=0.4, strength=0.25, albedo=1.0):
  """uint8 [1, 200, 200, 3] the ellipsoid, in light that reaches all that is seen of it."""
  direction = np.asarray(direction, float) / np.linalg.norm(direction)
  values = albedo * (ambient + strength * np.nan_to_num(lighting.normals(eyes, (200, 200))) @ direction)
  return encoded(values)[None]


def angle(a, b):
  return np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))


@pytest.mark.parametrize("direction", [(1, 0, 1), (-1, 0, 1), (0, -1, 0.5), (0.3, 0.8, 0.2), (0, 0, 1)])
def test_lighting_light_recovers_direction(direction):
  """Light recovers the direction."""
  found = lighting.light(lit(direction), EYES[None])[0]
  assert angle(found, np.array(direction, float)) < 0.5  # rounding to 8 bits


def test_light_recovers_the_strength():
  """b over the mean luminance: read off the rendering's own mean."""
  image = lit((1, 0, 0))
  values = color.luminance(image[0])
  inside = lighting.face_region.skin(EYES, (200, 200))
  np.testing.assert_allclose(lighting.light(image, EYES[None])[0, 0], 0.25 / values[inside].mean(), rtol=5e-3)


def test_normals_are_those_of_the_ellipsoid():
  """By finite differences of its height."""
  normal = lighting.normals(EYES, (200, 200))
  centre, wide, high = lighting.face_region.OVAL
  rows, columns = np.mgrid[80:130:7, 80:120:7]
  height = lambda row, column: (
    80
    * lighting.BULGE
    * np.sqrt(1 - ((column + 0.5 - 100) / 80 / wide) ** 2 - (((row + 0.5 - 70) / 80 - centre) / high) ** 2)
  )
  slope_x = (height(rows, columns + 1e-3) - height(rows, columns - 1e-3)) / 2e-3
  slope_y = (height(rows + 1e-3, columns) - height(rows - 1e-3, columns)) / 2e-3
  found = normal[rows, columns]
  np.testing.assert_allclose(-found[..., 0] / found[..., 2], slope_x, atol=1e-5)  # second order of 1e-3 pixels
  np.testing.assert_allclose(-found[..., 1] / found[..., 2], slope_y, atol=1e-5)


def test_lighting_light_leaning_head_keeps_images():
  """Light of a leaning head keeps the images axes."""
  leaning = np.array([70.0, 60, 130, 90])
  found = lighting.light(lit((1, 0, 1), leaning), leaning[None])[0]
  assert angle(found, np.array([1.0, 0, 1])) < 0.5


def test_lighting_light_angle_between_known_directions():
  """Light angle between known directions."""
  a, b = lit((1, 0, 0)), lit((0, -1, 0))
  np.testing.assert_allclose(lighting.light_angle(a, b, EYES[None]), [90], atol=0.7)  # 8 bits, twice
  np.testing.assert_allclose(lighting.light_angle(a, a, EYES[None]), [0], atol=1e-5)


def test_light_ignores_exposure():
  """Half as much light of the same kind: no change of direction or strength."""
  a, b = lit((1, -1, 1)), lit((1, -1, 1), albedo=0.5)
  assert lighting.light_difference(a, b, EYES[None])[0] < 0.01  # rounding to 8 bits


def test_lighting_light_mirrored_face_changes_sides():
  """Light of a mirrored face changes sides."""
  image = lit((0.7, 0.3, 0.5))
  mirrored = lighting.light(image[:, :, ::-1], (200 - EYES[[2, 1, 0, 3]])[None] * (1, 0, 1, 0) + [[0, 70, 0, 70]])
  np.testing.assert_allclose(mirrored, lighting.light(image, EYES[None]) * (-1, 1, 1), atol=1e-9)


def test_lighting_light_black_face_none_no():
  """Light of a black face is none and no face an error."""
  black = np.zeros((1, 200, 200, 3), np.uint8)
  np.testing.assert_array_equal(lighting.light(black, EYES[None]), np.zeros((1, 3)))
  with pytest.raises(ValueError, match="no skin"):
    lighting.light(black, EYES[None] + 500)
