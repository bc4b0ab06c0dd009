"""What a method is told of a service's answers along a track: no flips, no lag, nothing over a cut, nothing damaged."""

import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae import types
from qm_vae.deidentify import footage, protector, selection, video
from qm_vae.deidentify.answers import TIME_CONSTANT, Answers
from qm_vae.deidentify.hiding import Hider
from qm_vae.deidentify.reviewed import ByTrack
from qm_vae.deidentify.settings import Settings
from qm_vae.deidentify.sidecar import Sidecar

RATE = 25
SIZE = WIDTH, HEIGHT = 160, 120
BOX = np.float32([60, 40, 40, 40])
DARK, BRIGHT, BROKEN = 115, 140, 128  # grey levels of a face, so near that no change of them is a cut
UNTOLD = 77  # grey level


def service():
  """Is sure that a face is dark, or bright; between the two it breaks."""

  def apply(params, image):
    level = image.mean((-3, -2, -1))
    broken = jnp.where(jnp.abs(level - BROKEN / 255) < 0.02, jnp.nan, 0.0)
    return params * (jnp.stack([0.5 - level, level - 0.5], -1) + broken[..., None])

  return types.Service(np.float32(100), apply, ("dark", "bright"))


def method():
  """Paints the face as bright as it is told that it is bright."""

  def apply(params, face, key):
    del params, key
    return jnp.full_like(face.image, UNTOLD / 255 if face.answer is None else face.answer[1])

  return protector.Method((), apply, 16, None, (), 0, {"name": "painter"}, service=service())


def clip(levels, ground=0):
  """Frames of a face of these grey levels before a ground of blocks."""
  blocks = np.random.default_rng(ground).integers(0, 200, (6, 8, 3)).astype(np.uint8).repeat(20, 0).repeat(20, 1)
  made = np.repeat(blocks[None], len(levels), 0)
  made[:, 25:95, 45:115] = np.array(levels)[:, None, None, None]
  return list(made)


def run(pictures, hider, **settings):
  """What the method was told in every frame, in [0, 1]; and the result. The face never moves."""
  written = []

  class Sink:
    def write(self, image, ticks, duration):
      written.append(image)

  there = types.Detections(BOX[None], np.float32([0.9]))
  frames = (video.Frame(n, n / RATE, n, 1, False, lambda one=one: one) for n, one in enumerate(pictures))
  detector = types.Detector(lambda _: there, 0.5, 0.25, {"name": "fixed"})
  result = footage.protect(
    frames, Sink(), detector, hider, Settings(**settings), selection.Selection(), Sidecar(None, {}), None,
    lambda n: None, SIZE,
  )  # fmt: skip
  return np.stack(written)[:, 60, 80, 0] / 255, result


@pytest.fixture(scope="module")
def hider():
  return Hider(method(), seed=0)


def flips(told):
  return int((np.diff(told > 0.5) != 0).sum())


@pytest.mark.parametrize("window", [48, 20])
def test_answers_do_not_flip_with_single_frames(hider, window):
  """A service that changes its mind for a frame every third of a second does not change what the method is told."""
  levels = np.full(100, DARK)
  levels[4::8] = BRIGHT
  told, result = run(clip(levels), hider.of(b"flips"), window=window, hold=window)
  assert len(result.tracks) == 1 and flips(told) == 0 and flips(levels > BROKEN) == 24
  assert np.abs(np.diff(told)).max() < 0.15  # of 1, which it was


def test_answers_follow_the_face_without_lag(hider):
  """An expression that lasts is told from the frame in which it begins to the one in which it ends."""
  levels = np.full(100, DARK)
  levels[30:61] = BRIGHT
  told, _ = run(clip(levels), hider.of(b"lasts"))
  assert np.flatnonzero(told > 0.5).tolist() == list(range(30, 61))
  assert told[45] > 0.95 and told[10] < 0.05


def test_answers_of_live_pictures_lag_by_less_than_the_time_constant(hider):
  """With few frames of the future the change comes later, and is still whole."""
  levels = np.repeat([DARK, BRIGHT], 40)
  told, _ = run(clip(levels), hider.of(b"live"), window=2, hold=2, group=1)
  assert flips(told) == 1
  assert 40 <= np.flatnonzero(told > 0.5)[0] <= 40 + TIME_CONSTANT * RATE


def test_answers_do_not_reach_over_a_cut(hider):
  """Of two people in two shots each has the answer of their own from the first frame to the last."""
  pictures = clip([DARK] * 30) + clip([BRIGHT] * 30, ground=1)
  told, result = run(pictures, hider.of(b"cut"))
  assert result.cuts == 1 and len(result.tracks) == 2
  assert (told[:30] < 0.02).all() and (told[30:] > 0.98).all()


def test_answers_of_a_damaged_service_blank_their_frames_alone(hider):
  """A frame on which the service's answer is not finite is black and a failure; its neighbours are as without it."""
  levels = np.full(40, BRIGHT)
  whole, _ = run(clip(levels), hider.of(b"whole"))
  levels[[13, 14, 30]] = BROKEN
  told, result = run(clip(levels), hider.of(b"damaged"))
  assert result.blanked == {"a face could not be hidden": 3}
  assert np.flatnonzero(told != whole).tolist() == [13, 14, 30] and not told[[13, 14, 30]].any()


def test_answers_are_not_told_of_single_pictures(hider):
  """A picture stands for itself: the method asks on its own, as everywhere outside of footage."""
  (picture,) = clip([BRIGHT])
  made = hider.of(b"picture")([picture], [[BOX]], [[1]])[0]
  assert (made[50:70, 70:90] == UNTOLD).all()


def test_answers_of_tracks_with_a_method_of_their_own():
  """Where tracks have several methods, each is told of its own tracks."""
  usual = Hider(method()._replace(service=None), seed=0)
  by_track = ByTrack(usual, {"painter": Hider(method(), seed=0)}, {2: "painter"}).of(b"")
  pictures, other = clip([DARK, BRIGHT]), np.float32([0, 0, 20, 20])
  times, boxes = [0.0, 1 / RATE], [[other, BOX]] * 2
  assert usual.foresight == 0 and by_track.foresight > TIME_CONSTANT
  by_track.foresee(pictures[1:], boxes[1:], [[1, 2]], times[1:])
  first, second = (by_track([pictures[i]], boxes[:1], [[1, 2]], [times[i]])[0] for i in (0, 1))
  assert first[10, 10, 0] == second[10, 10, 0] == UNTOLD
  weight = np.exp(-1 / RATE / TIME_CONSTANT)
  np.testing.assert_allclose(first[60, 80, 0] / 255, weight / (1 + weight), atol=0.01)  # the answers are 0.01 and 0.99
  np.testing.assert_allclose(second[60, 80, 0] / 255, 1 / (1 + weight), atol=0.01)


def test_answers_ask_once_and_keep_nothing_of_a_failed_call():
  """A face is asked about once, and a call that fails leaves nothing behind."""
  answers = Answers(service(), 2)
  crops = np.stack([np.full((16, 16, 3), level, np.uint8) for level in (DARK, BRIGHT, BROKEN)])
  with pytest.raises(ValueError, match="service answers with numbers that are not finite"):
    answers.add(crops, [1, 1, 1], [0.0, 5.0, 6.0])
  answers.add(crops[1:2], [1], [0.0])  # would be dark if it were known
  assert answers(crops[:1], [1], [0.0])[0].argmax() == 1  # and now it is known
  apart = answers(crops[:2], [1, 2], [5.0, 5.0])
  np.testing.assert_allclose(apart.sum(-1), 1, atol=1e-6)
  assert apart.argmax(-1).tolist() == [0, 1]
  assert answers.anew()(crops[:1], [1], [5.0]).argmax() == 0
  assert answers(crops[1:2], [1], [5.0]).argmax() == 0
