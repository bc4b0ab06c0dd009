"""Methods that keep the context: the frame's own pixels around the face, and all hidden where no face was found."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae import types
from qm_vae.deidentify import methods, protector
from qm_vae.deidentify.hiding import Hider
from tests.support.landmarks import frontal

BOX = np.array([60.0, 40.0, 80.0, 80.0])


def method(region, level=1.0):
  """Paints `region` of the crop, a slice of shares, and leaves the rest."""

  def apply(params, face, key):
    del params, key
    side = face.image.shape[0]
    rows, columns = (slice(int(a * side), int(b * side)) for a, b in region)
    return face.image.at[rows, columns].set(level) if rows.stop > rows.start else face.image

  return protector.Method((), apply, 48, None, (), 0, {"name": "painter"}, keeps_context=True)


def hidden(region):
  """A noisy frame, and what becomes of it."""
  frame = np.random.default_rng(0).integers(0, 200, (200, 220, 3)).astype(np.uint8)
  (made,) = Hider(method(region), seed=0)([frame], [[BOX]], [[1]])
  assert made is not None
  return frame, made


def test_hider_keeps_the_frame_around_the_region():
  """Where the method changes the face alone, the frame's pixels around it stay as sharp as they were."""
  frame, made = hidden(((0.2, 0.8), (0.2, 0.8)))
  assert (made[60:100, 80:120] == 255).all()
  changed = (made != frame).any(-1)
  assert not changed[:34].any() and not changed[:, :54].any()  # the region begins at 44 and 64


def test_hider_hides_all_of_a_face_that_the_method_did_not_find():
  """A method that changes nothing, or too little, leaves a plain area, and never the face."""
  for region in (((0, 0), (0, 0)), ((0.3, 0.4), (0.3, 0.4)), ((0, 0.5), (0, 1))):
    frame, made = hidden(region)
    inner = made[44:116, 64:136]
    assert np.ptp(inner.reshape(-1, 3), 0).max() == 0, region
    assert (inner != frame[44:116, 64:136]).any(-1).mean() > 0.9


def test_hider_paints_an_oval_where_the_method_gave_up_the_outline():
  """A method that changes the whole crop found no outline: an oval is painted over, and no square is seen."""
  frame, made = hidden(((0, 1), (0, 1)))
  assert not (made == 255).all(-1).any()
  assert np.ptp(made[50:110, 70:130].reshape(-1, 3), 0).max() == 0
  corner = np.s_[40 - 18 : 40 - 6, 60 - 18 : 60 - 6]  # within the crop's square, which is half as large again as BOX
  np.testing.assert_array_equal(made[corner], frame[corner])


def test_hider_changes_a_track_back_only_after_some_frames():
  """A track that was painted over once stays so for some frames, and then shows a face again; other tracks do not."""
  found = [False]

  def apply(image):
    made = image.copy()
    made[10:38, 10:38] = 255 if found[0] else image[10:38, 10:38]
    return made

  way = method(((0, 0), (0, 0)))._replace(apply=protector.of_function(apply, 48).apply)
  hider, frame = Hider(way, seed=0), np.random.default_rng(0).integers(0, 200, (200, 220, 3)).astype(np.uint8)
  white = []
  for _ in range(14):
    white.append(bool((hider([frame], [[BOX]], [[1]])[0] == 255).any()))
    found[0] = True
  assert white == [False] * 12 + [True] * 2
  assert (hider([frame], [[BOX]], [[2]])[0] == 255).any()
  assert (hider.of(b"another")([frame], [[BOX]], [[1]])[0] == 255).any()


def test_hider_frames_a_face_by_its_landmarks():
  """A method with a landmarker is given the face as the cascade would frame it, wherever the detector's box lies."""
  seen = []

  def apply(params, face, key):
    del params, key
    return face.image.at[10:40, 10:40].set(1.0)

  def find(params, image):  # the face is always in the same place of the frame; crops come in two sizes
    del params
    seen.append(image.shape)
    return jnp.broadcast_to(jnp.asarray(frontal(30.0)) + 9, (len(image), 68, 2))

  way = method(((0, 0), (0, 0)))._replace(apply=apply, landmarker=types.Landmarker((), find, find))
  frame = np.random.default_rng(0).integers(0, 200, (200, 220, 3)).astype(np.uint8)
  (made,) = Hider(way, seed=0)([frame], [[BOX]], [[1]])
  assert seen and made is not None
  # 48 pixels show 120 of the frame; so the frontal face has its eyes 30 * 0.3 * 2.5 = 22.5 pixels apart, and its box a
  # side of max(22.5 / 0.35, 62.5 / 0.85) pixels, with its crop half as large again.
  changed = (made != frame).any(-1)
  assert 40 < np.ptp(np.flatnonzero(changed.any(0))) < 80


def test_hider_frames_the_faces_of_a_call_together():
  """Eight faces of eight pictures go through the landmarker in one batch, and each gets its own frame."""
  batches = []

  def find(params, image):
    del params
    jax.debug.callback(lambda: batches.append(len(image)))
    # The landmarks follow the crop's brightness, so that two faces that were mixed up would show.
    size = 20 + 20 * image.mean((1, 2, 3))
    return jnp.asarray(frontal(1.0)) * size[:, None, None] + 24 - size[:, None, None] / 2

  apply = lambda params, face, key: face.image.at[10:40, 10:40].set(1.0)
  way = method(((0, 0), (0, 0)))._replace(apply=apply, landmarker=types.Landmarker((), find, find))
  frames = [np.full((200, 220, 3), 25 * i, np.uint8) for i in range(8)]
  hider = Hider(way, seed=0)
  together = hider(frames, [[BOX]] * 8, [[i] for i in range(8)])
  jax.effects_barrier()
  assert batches == [8, 8]  # to frame the faces, and to place them
  for i, made in enumerate(together):
    np.testing.assert_array_equal(hider.of(b"")([frames[i]], [[BOX]], [[i]])[0], made)


@pytest.mark.parametrize(("pixels", "side"), [(20, 100), (20, 300), (50, 300)])
def test_hiding_mosaic_in_pixels_of_the_frame(pixels, side):
  """Blocks have the size that was asked for, whatever the face's size."""
  ramp = np.linspace(0, 255, 400)
  picture = np.broadcast_to(np.rint(ramp)[None, :, None], (400, 400, 3)).astype(np.uint8)
  hider = Hider(methods.open_method(f"mosaic:pixels={pixels}"), margin=0.0, feather=0.0)
  (made,) = hider([picture], [[np.array([50, 50, side, side])]], [[1]])
  row = made[50 + side // 2, :, 0].astype(int)
  for begins in range(50, 50 + side, pixels):
    inner = row[begins + pixels // 5 : begins + pixels - pixels // 5]
    assert np.ptp(inner) <= 1 and abs(inner.mean() - ramp[begins : begins + pixels].mean()) <= 2
  np.testing.assert_array_equal(made[:50], picture[:50])
