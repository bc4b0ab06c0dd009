"""Each de-identifier against an independent computation of its equation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats

from qm_vae import types
from qm_vae.deidentifiers import DEIDENTIFIERS, region
from qm_vae.deidentifiers import _k_same as k_same

KEY = jax.random.key(0)


def face_of(height=29, width=34, seed=0, share=0.7):
  random = np.random.default_rng(seed)
  image = random.random((height, width, 3), np.float32)
  mask = (random.random((height, width, 1)) < share).astype(np.float32)
  return types.Face(image, mask, np.float32([9.0, 10.0, 21.0, 15.0]))


def apply(name, face, **options):
  deidentifier = DEIDENTIFIERS[name](**options)
  return np.asarray(jax.jit(deidentifier.apply)(deidentifier.params, jax.tree.map(jnp.asarray, face), KEY))


def test_deidentifier_identity_image_bit_bit():
  """Identity is the image bit for bit."""
  face = face_of()
  np.testing.assert_array_equal(apply("identity", face), face.image)


def test_deidentifier_blank_one_image_whoever_shown():
  """Blank is one image whoever is shown."""
  full = [face_of(seed=seed, share=2) for seed in (0, 1)]
  first, second = (apply("blank", face) for face in full)
  np.testing.assert_array_equal(first, second)
  assert len(np.unique(first)) == 1


@pytest.mark.parametrize("block", [1, 5, 8, 50])
def test_deidentifier_mosaic(block):
  """Mosaic."""
  face = face_of()
  expected = face.image.astype(np.float64)
  for top in range(0, 29, block):
    for left in range(0, 34, block):
      at = np.s_[top : top + block, left : left + block]
      inside = face.mask[at][..., 0] > 0
      if inside.any():
        expected[at][inside] = face.image[at][inside].astype(np.float64).mean(0)
  # A float32 mean of at most 29 * 34 values: sums round to 1e-6 of themselves at worst.
  np.testing.assert_allclose(apply("mosaic", face, block=block), expected, rtol=0, atol=2e-6)


def test_deidentifier_blindfold_covers_both_eyes_tilted():
  """Blindfold covers both eyes of a tilted head."""
  face = face_of(share=2)
  image = apply("blindfold", face, height=0.5)
  reach = 0.5 * 0.5 * np.hypot(21 - 9, 15 - 10)  # 3.25 pixels
  rows = np.arange(29)
  band = (rows >= 10 - reach) & (rows <= 15 + reach)
  np.testing.assert_array_equal(image[band], 0)
  np.testing.assert_array_equal(image[~band], face.image[~band])
  assert band.sum() == 12  # rows 7 to 18


@pytest.mark.parametrize("scale", [1.0, 8.0])
def test_deidentifier_laplace_scale_shape(scale):
  """Laplace has its scale and shape."""
  face = types.Face(
    np.full((128, 128, 3), 0.5, np.float32), np.ones((128, 128, 1), np.float32), np.zeros(4, np.float32)
  )
  noise = (apply("laplace", face, scale=scale).astype(np.float64) - 0.5) * 255
  n = noise.size
  # |noise| is exponential: its standard deviation is `scale`. Clipping lies 127.5 grey levels away, 16 scales or more.
  assert abs(np.abs(noise).mean() - scale) < 5 * scale / np.sqrt(n)
  # The noise has standard deviation sqrt(2) * scale.
  assert abs(noise.mean()) < 5 * np.sqrt(2) * scale / np.sqrt(n)
  # Kolmogorov: sqrt(n) D > 2.5 has probability 2 exp(-2 * 2.5^2) = 7e-6.
  statistic = scipy.stats.kstest(noise.ravel(), scipy.stats.laplace(0, scale).cdf).statistic
  assert statistic < 2.5 / np.sqrt(n)
  # Channels and neighbours are independent: a correlation of n pairs has standard error 1 / sqrt(n).
  for other in (np.roll(noise, 1, -1), np.roll(noise, 1, 0)):
    assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(n)


def test_deidentifier_laplace_fresh_every_key():
  """Laplace is fresh for every key."""
  face = jax.tree.map(jnp.asarray, face_of(share=2))
  deidentifier = DEIDENTIFIERS["laplace"]()
  first, second = (deidentifier.apply((), face, key) for key in jax.random.split(KEY))
  assert np.mean(first != second) > 0.9


@pytest.mark.parametrize("sigma", [0.7, 4.0])
def test_deidentifier_blur(sigma):
  """Blur."""
  face = face_of()
  keep = {"sigma": (sigma, sigma, 0), "mode": "constant", "truncate": 50 / sigma}  # reaches across the whole image
  mask = face.mask.astype(np.float64)
  expected = scipy.ndimage.gaussian_filter(face.image * mask, **keep) / scipy.ndimage.gaussian_filter(mask, **keep)
  expected = np.where(face.mask > 0, expected, face.image)
  # Float32 sums of 34 terms, twice, and a quotient.
  np.testing.assert_allclose(apply("blur", face, sigma=sigma), expected, rtol=0, atol=3e-6)


def test_deidentifier_k_same_groups_disjoint_nearest():
  """K same groups are disjoint and nearest."""
  random = np.random.default_rng(0)
  gallery = random.integers(0, 256, (7, 2, 2, 3), np.uint8)
  left, expected = list(range(7)), []
  for size in (3, 4):  # 7 = 3 + 4: fewer than 2 k are left
    distance = {i: np.square(gallery[i].astype(float) - gallery[left[0]]).sum() for i in left}
    chosen = sorted(left, key=distance.get)[:size]
    expected.append(gallery[chosen].mean(0) / 255)
    left = [i for i in left if i not in chosen]
  found = k_same.group(gallery, 3)
  np.testing.assert_allclose(found, expected, atol=1e-6)  # means of float32


def test_deidentifier_k_same_takes_each_person():
  """K same takes each person once and gives the nearest mean."""
  gallery = np.stack([np.full((4, 4, 3), level, np.uint8) for level in (0, 255, 10, 200, 50, 60)])
  k_same_of = DEIDENTIFIERS["k_same"](k=2, gallery=gallery, identity=np.array([3, 3, 5, 7, -1, -1]))
  # Of person 3 the black one alone: 0 with 10, 200 with 60 and 50, which is one group, since fewer than 4 are left.
  np.testing.assert_allclose(k_same_of.params[:, 0, 0, 0] * 255, [5, 310 / 3], rtol=1e-6)
  face = face_of()
  face = face._replace(image=np.where(face.mask > 0, np.float32(0.3), 1.0))
  image = np.asarray(k_same_of.apply(k_same_of.params, jax.tree.map(jnp.asarray, face), KEY))
  inside = np.broadcast_to(face.mask > 0, image.shape)
  np.testing.assert_allclose(image[inside] * 255, 310 / 3, rtol=1e-5)
  with pytest.raises(ValueError, match="k is 9, but the gallery shows 6 people"):
    DEIDENTIFIERS["k_same"](k=9, gallery=gallery)


def test_deidentifier_dp_pixel_mosaic_noise_scale():
  """Dp pixel is a mosaic with noise of its scale."""
  face = face_of()
  np.testing.assert_allclose(apply("dp_pixel", face, block=5, epsilon=1e9), apply("mosaic", face, block=5), atol=1e-6)
  # 3 channels * 2 pixels / (16 * 1000) of the range, far from where it is clipped.
  face = types.Face(
    np.full((256, 256, 3), 0.5, np.float32), np.ones((256, 256, 1), np.float32), np.zeros(4, np.float32)
  )
  noise = apply("dp_pixel", face, block=4, pixels=2, epsilon=1000.0)[::4, ::4].astype(np.float64) - 0.5
  n, scale = noise.size, 6 / 16000
  assert abs(np.abs(noise).mean() - scale) < 5 * scale / np.sqrt(n)  # |noise| is exponential
  statistic = scipy.stats.kstest(noise.ravel(), scipy.stats.laplace(0, scale).cdf).statistic
  assert statistic < 2.5 / np.sqrt(n)  # as for laplace


def test_deidentifier_dp_pixel_gives_smaller_block():
  """Dp pixel gives a smaller block more noise."""
  face = types.Face(np.full((6, 4, 3), 0.5, np.float32), np.ones((6, 4, 1), np.float32), np.zeros(4, np.float32))
  noise = np.abs(apply("dp_pixel", face, block=4, pixels=1, epsilon=1e4) - 0.5)
  plain = np.abs(jax.random.laplace(KEY, (2, 1, 3)))
  np.testing.assert_allclose(noise[[0, 4], 0], plain[:, 0] * 3 / 1e4 / np.array([[16], [8]]), rtol=0.01)


@pytest.mark.parametrize("name", ["mosaic", "cartoon", "blur"])
def test_deidentifier_one_colour_stays_one_colour(name):
  """One colour stays one colour however the region is cut."""
  # A mean that counted what lies outside the mask, or beyond the crop, would be darker near the edges.
  face = face_of()
  drawn = apply(name, face._replace(image=np.full_like(face.image, 0.6) * face.mask))
  inside = drawn[np.broadcast_to(face.mask > 0, drawn.shape)]
  np.testing.assert_allclose(inside, inside[0], rtol=0, atol=3e-6)  # as in test_deidentifier_blur


def test_deidentifier_cartoon_draws_few_tones_dark():
  """Cartoon draws few tones and dark lines."""
  # A ramp with a step: away from the step the filter must leave plateaus, at the step's dark side a line.
  ramp = np.linspace(0.3, 0.9, 64, dtype=np.float32)
  image = np.tile(ramp[None, :, None], (64, 1, 3))
  image[40:] *= 0.5
  face = types.Face(image, np.ones((64, 64, 1), np.float32), np.zeros(4, np.float32))
  drawn = apply("cartoon", face, levels=4)
  plain = apply("cartoon", face, levels=4, ink=0.0)
  slope = np.abs(np.diff(plain[10, 5:-5, 0]))
  # A staircase of tanh(3 u), u in [-1, 1], is less than half as steep as its ramp where |u| > 0.515.
  assert np.mean(slope < 0.5 * np.diff(ramp).mean()) > 0.4
  assert slope.max() > 2 * np.diff(ramp).max()
  assert np.all(drawn <= plain + 1e-6)
  assert drawn[40:43, 20:50].min() < 0.3 * plain[40:43, 20:50].min()
  np.testing.assert_allclose(drawn[15:30], plain[15:30], atol=0.02)


def test_deidentifier_oval_face_follows_eyes():
  """The oval of a face follows its eyes."""
  image = np.zeros((2, 40, 40, 3), np.float32)
  level, turned = (
    [14.0, 16.0, 26.0, 16.0],
    [20.0, 10.0, 20.0, 22.0],
  )  # the second looks to the side: down is to the left
  inside = np.asarray(region.ellipse(types.Face(image, image[..., :1], np.float32([level, turned]))))[..., 0]
  area = np.pi * 1.05 * 12 * 1.5 * 12
  assert inside[0].sum() == pytest.approx(area, rel=0.02)  # pixels on the border
  assert inside[0, 16, 14] == inside[0, 16, 26] == inside[0, 38, 20] == 1 and inside[0, 2, 20] == 0
  np.testing.assert_array_equal(inside[0], inside[0][:, ::-1][:, np.r_[39, :39]])  # about the middle between the eyes
  # Centre (14.6, 16), half axes 12.6 up and down and 18 to the sides.
  assert inside[1, 16, 2] == inside[1, 5, 14] == 1 and inside[1, 16, 34] == inside[1, 2, 14] == 0
