"""The warped mean: whose faces it averages, where it puts them, and what it leaves alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae import types
from qm_vae.deidentifiers import DEIDENTIFIERS, appearance
from qm_vae.faces import shape
from tests.support.landmarks import frontal

SIDE = 48
COUNT = 24


def landmarker(points=None):
  """Finds a frontal face; the image's brightness decides how far the mouth is open, unless `points` are given."""

  def apply(params, image):
    del params
    if points is not None:
      return jnp.broadcast_to(points, (*image.shape[:-3], 68, 2))
    opened = image.sum(-1).mean((-2, -1))[..., None, None]
    return jnp.asarray(frontal(SIDE)) * (1 - opened) + jnp.asarray(frontal(SIDE, mouth_open=0.2)) * opened

  return types.Landmarker((), apply, apply)


def service():
  """Two classes: the red half of the gallery against the rest."""
  return types.Service((), lambda params, x: 40 * (x.mean((-3, -2))[..., :2] - 0.5), ("red", "green"))


def gallery():
  """uint8 [COUNT, SIDE, SIDE, 3]: the first half red, the second green, each of a grey level of its own."""
  level = np.linspace(150, 250, COUNT).astype(np.uint8)
  color = np.where((np.arange(COUNT) < COUNT // 2)[:, None], [1, 0, 0], [0, 1, 0])
  return np.broadcast_to((level[:, None] * color)[:, None, None], (COUNT, SIDE, SIDE, 3)).astype(np.uint8)


def made(**options):
  """The de-identifier of that gallery."""
  options = {"k": 3, "service": service(), "landmarker": landmarker(), "gallery": gallery()} | options
  return DEIDENTIFIERS["warped_mean"](**options)


def face(color):
  """A plain face of a colour in [0, 1]."""
  image = jnp.broadcast_to(jnp.float32(color), (SIDE, SIDE, 3))
  return types.Face(image, jnp.ones((SIDE, SIDE, 1)), jnp.zeros(4))


def test_warped_mean_averages_faces_with_the_same_answer():
  """A red face gets a mean of red faces, a green one of green faces."""
  deidentifier = made(context="hide", light="none")
  for color in ((0.7, 0, 0), (0, 0.7, 0)):
    image = deidentifier.apply(deidentifier.params, face(color), jax.random.key(0))
    assert image[..., :2].mean((0, 1))[np.argmin(color[:2])] < 0.05
    assert image[..., :2].mean((0, 1))[np.argmax(color)] > 0.5


def test_warped_mean_takes_the_answer_that_a_face_comes_with():
  """An answer beside the face counts in place of the service's; the service's own changes nothing, bit for bit."""
  deidentifier, red = made(context="hide", light="none"), face((0.7, 0, 0))
  own = jax.nn.softmax(service().apply((), red.image))
  asked, given, other = (
    deidentifier.apply(deidentifier.params, red._replace(answer=answer), jax.random.key(0))
    for answer in (None, own, own[::-1])
  )
  np.testing.assert_array_equal(asked, given)
  assert other[..., 0].mean() < 0.05 and other[..., 1].mean() > 0.5
  plain = made(context="hide", light="none", service=None)
  images = [plain.apply(plain.params, red._replace(answer=a), jax.random.key(0)) for a in (None, own)]
  np.testing.assert_array_equal(*images)  # where no service was given, no answer counts


def test_warped_mean_draws_its_faces_by_key():
  """Another key averages other faces; the same key the same."""
  deidentifier = made(context="hide", light="none")
  images = [deidentifier.apply(deidentifier.params, face((0.7, 0, 0)), jax.random.key(i)) for i in (0, 0, 1)]
  np.testing.assert_array_equal(images[0], images[1])
  assert np.abs(images[0] - images[2]).max() > 1 / 255


def test_mean_texture_gives_no_face_more_than_its_share():
  """However near one face is, it weighs at most 1/k; the face itself, met in training, weighs nothing."""
  count, k = 40, 5
  params = {
    "texture": np.broadcast_to(255 * np.eye(count)[:, None, :, None], (count, 1, count, 1)).astype(np.uint8),
    "condition": np.arange(count, dtype=np.float32)[:, None],
    "scale": np.float32([1.0]),
  }
  weight = np.asarray(appearance.mean_texture(params, jnp.float32([7.0]), jax.random.key(2), k))[0, :, 0]
  np.testing.assert_allclose(weight.sum(), 1, atol=1e-5)
  assert weight.max() <= 1 / k + 1e-5
  assert weight[7] == 0
  assert (weight > 0).sum() <= count // 2


def test_warped_mean_follows_the_landmarks():
  """A mark on the gallery's noses comes to lie on the nose of a face that is shrunk and moved."""
  there = 0.6 * frontal(SIDE) + np.float32([12, 4])
  picture = np.zeros((COUNT, SIDE, SIDE, 3), np.uint8)
  rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
  nose = frontal(SIDE)[30]
  picture[:] = (255 * np.exp(-((columns - nose[0]) ** 2 + (rows - nose[1]) ** 2) / 6))[None, :, :, None]
  find = lambda params, image: jnp.where(image.mean() > 0.5, there, jnp.asarray(frontal(SIDE)))
  of_batch = lambda params, image: (
    jax.vmap(lambda x: find(params, x))(image) if image.ndim == 4 else find(params, image)
  )
  deidentifier = made(
    context="hide", light="none", gallery=picture, service=None, landmarker=types.Landmarker((), of_batch, of_batch)
  )
  image = np.asarray(deidentifier.apply(deidentifier.params, face((1, 1, 1)), jax.random.key(0)))[..., 0]
  found = np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum()
  np.testing.assert_allclose(found, there[30], atol=0.7)  # of a mark five pixels wide


def test_warped_mean_keeps_the_context():
  """Outside the region from brow to chin the face's own pixels stay; with 'hide' nothing of it does."""
  original = face((0.2, 0.3, 0.9))
  kept = made().apply(made().params, original, jax.random.key(0))
  np.testing.assert_array_equal(kept[:4], original.image[:4])
  hidden = made(context="hide", light="none")
  image = hidden.apply(hidden.params, original, jax.random.key(0))
  assert np.abs(image[..., 2]).max() < 1e-6


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"k": 7}, "at least 28, or lower k"),
    ({"gallery": None}, "gallery is None"),
  ],
)
def test_warped_mean_names_what_it_lacks(options, message):
  """Without a landmark network, or with too few faces, the error says what to give."""
  with pytest.raises(ValueError, match=message):
    made(**options)


def test_prepare_brings_textures_into_one_shape():
  """Faces whose mouths differ have their lips in one place afterwards."""
  points = np.stack([frontal(SIDE, mouth_open=m) for m in np.linspace(0, 0.2, 6)])
  rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
  lip = lambda p: np.exp(-((columns - p[57, 0]) ** 2 + (rows - p[57, 1]) ** 2) / 6)
  pictures = np.stack([np.repeat((255 * lip(p))[..., None], 3, -1) for p in points]).astype(np.uint8)

  # The picture's own lower lip tells the landmarker which shape it is.
  def apply(params, image):
    del params
    height = (image[..., 0] * rows).sum((-2, -1)) / image[..., 0].sum((-2, -1))
    share = jnp.clip((height - points[0, 57, 1]) / (points[-1, 57, 1] - points[0, 57, 1]), 0, 1)[..., None, None]
    return points[0] * (1 - share) + points[-1] * share

  params = appearance.prepare(pictures, None, None, types.Landmarker((), apply, apply), 4)
  texture = params["texture"][..., 0].astype(float)
  highest = lambda x: x.max(2).argmax(1)  # the row of the lip's middle; around it the picture is stretched
  assert np.ptp(highest(pictures[..., 0])) >= 4
  assert np.ptp(highest(texture)) <= 1
  assert isinstance(params["shape"], shape.ShapeModel)


def test_warped_mean_without_a_landmarker_goes_by_the_eyes():
  """Where only eyes are known, a mark between the gallery's eyes lies between those of a face that is rolled."""
  picture = np.zeros((COUNT, SIDE, SIDE, 3), np.uint8)
  rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
  eyes = np.multiply(types.AVERAGE_EYES, SIDE).astype(np.float32)
  middle = (eyes[:2] + eyes[2:]) / 2
  picture[:] = (255 * np.exp(-((columns - middle[0]) ** 2 + (rows - middle[1]) ** 2) / 6))[None, :, :, None]
  deidentifier = made(
    context="hide", light="none", gallery=picture, eyes=np.tile(eyes, (COUNT, 1)), service=None, landmarker=None
  )
  assert deidentifier.needs == ("eyes",)
  there = np.float32([18, 26, 30, 20])
  image = deidentifier.apply(deidentifier.params, face((1, 1, 1))._replace(eyes=jnp.asarray(there)), jax.random.key(0))
  image = np.asarray(image)[..., 0]
  found = np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum()
  np.testing.assert_allclose(found, (there[:2] + there[2:]) / 2, atol=0.7)  # of a mark five pixels wide
