"""Cuts, flashes, fades and dissolves: tracks end, no box is held over a cut, and a kept track shows one person."""

import fractions

import numpy as np
import pytest
from PIL import Image

from qm_vae import types
from qm_vae.data import synthetic
from qm_vae.deidentify import __main__ as program
from qm_vae.deidentify import footage, hiding, methods, selection, video
from qm_vae.deidentify.settings import Settings
from qm_vae.deidentify.sidecar import Sidecar
from qm_vae.deidentify.tracking import shots

SIZE = WIDTH, HEIGHT = 160, 120
BOX = (60, 40, 40, 40)


@pytest.fixture(scope="module")
def scenes():
  """Two people before their backgrounds, uint8 [120, 160, 3], and the second background without anybody."""
  drawn = synthetic.make(num_people=4, images_per_person=1, frame_size=96, seed=0)
  made = []
  for person, seed in ((0, 1), (1, 2)):
    blocks = np.random.default_rng(seed).integers(0, 200, (6, 8, 3)).astype(np.uint8)
    made.append(blocks.repeat(20, 0).repeat(20, 1))
    face = np.asarray(Image.fromarray(drawn[person].image).resize((40, 40)))
    with_face = made[-1].copy()
    with_face[40:80, 60:100] = face
    made.append(with_face)
  return made[1], made[3], made[2]


@pytest.fixture(scope="module")
def hider():
  return hiding.Hider(methods.open_method("solid:size=16"))


def shaken(picture, number):
  """The picture with a little noise of its own, as every camera has."""
  noise = np.random.default_rng(number).integers(-2, 3, picture.shape)
  return np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8)


def run(pictures, hider, shown, chosen=None, **settings):
  """Protects `pictures`; the face is found in the frames of `shown`. Returns what is written, and the result."""
  pictures = [shaken(picture, n) for n, picture in enumerate(pictures)]
  with_face = {pictures[n].tobytes() for n in shown}

  def find(image):
    there = image.tobytes() in with_face
    return types.Detections(np.float32([BOX] * there).reshape(-1, 4), np.full(int(there), 0.9, np.float32))

  class Sink:
    def __init__(self):
      self.written = []

    def write(self, image, ticks, duration):
      self.written.append(image)

  sink = Sink()
  frames = (video.Frame(n, n / 25, n, 1, False, lambda one=one: one) for n, one in enumerate(pictures))
  detector = types.Detector(find, 0.5, 0.25, {"name": "fixed"})
  result = footage.protect(
    frames,
    sink,
    detector,
    hider,
    Settings(**settings),
    chosen or selection.Selection(),
    Sidecar(None, {}),
    None,
    lambda n: None,
    SIZE,
  )
  same = [(one[50:70, 70:90] == made[50:70, 70:90]).all() for one, made in zip(pictures, sink.written, strict=True)]
  clear = [n for n, visible in enumerate(same) if visible]
  return clear, result


def keep_first(count):
  """Track 1 of an earlier pass, which stood in the box in every frame."""
  return selection.Selection(keep=(selection.Known(1, {n: np.float32(BOX) for n in range(count)}),))


@pytest.mark.parametrize("every", [1, 4])
def test_cuts_kept_person_and_nobody_after(scenes, hider, every):
  """Of two people at one place in two shots, keeping the first leaves nobody of the second shot visible."""
  first, second, _ = scenes
  clear, result = run([first] * 22 + [second] * 30, hider, range(52), keep_first(52), every=every, window=12, hold=12)
  assert clear and max(clear) < 22 and result.cuts == 1
  assert every > 1 or clear == list(range(22))


def test_cuts_end_what_is_held(scenes, hider):
  """A box is not held over the next shot, where it would cover what is no face."""
  first, _, empty = scenes
  clear, result = run([first] * 20 + [empty] * 60, hider, range(20), window=48, hold=48)
  assert clear == list(range(20, 80)) and result.tracks[0]["lost"] == 0


@pytest.mark.parametrize("every", [3, 5])
def test_cuts_first_frame_of_a_shot_is_looked_at(scenes, hider, every):
  """A face that shows for two frames after a cut is found, though no look was due."""
  first, second, _ = scenes
  pictures = [first] * 16 + [second] * 2 + [first] * 20
  clear, _ = run(pictures, hider, (16, 17), every=every, window=12, hold=12)
  assert not {16, 17} & set(clear)


def test_cuts_flash_hides_on(scenes, hider):
  """A flash in which nobody is found, and a slow detector after it, leave nobody visible."""
  first, _, _ = scenes
  light = np.clip(first.astype(int) + 170, 0, 255).astype(np.uint8)
  missed = {18, 19, 20, 21, 22, 23}
  clear, result = run([first] * 18 + [light] * 3 + [first] * 20, hider, set(range(41)) - missed, window=12, hold=12)
  assert not clear and result.cuts == 0


def faded(one, other, share):
  return np.rint(one * (1 - share) + other * share).astype(np.uint8)


def test_cuts_fade_through_black(scenes, hider):
  """A fade to black and out of it to other people ends tracks; to the same scene it hides on."""
  first, second, empty = scenes
  black = np.zeros_like(first)
  down = [faded(first, black, i / 12) for i in range(13)] + [black] * 3
  up = [faded(black, second, i / 8) for i in range(1, 9)]
  shown = [*range(20), *range(44, 74)]
  clear, result = run([first] * 20 + down + up + [second] * 30, hider, shown, keep_first(99), window=48, hold=48)
  assert result.cuts == 1 and set(range(20)) <= set(clear) and max(clear) < 36
  up = [faded(black, first, i / 8) for i in range(1, 9)]
  clear, result = run([first] * 20 + down + up + [first] * 30, hider, range(20), window=48, hold=48)
  assert result.cuts == 0 and min(clear, default=99) >= 68  # 48 frames after the last finding
  up = [faded(black, empty, i / 8) for i in range(1, 9)]
  clear, _ = run([first] * 20 + down + up + [empty] * 30, hider, range(20), window=48, hold=48)
  assert clear == list(range(37, 74))  # the first of them is all but black


@pytest.mark.parametrize("length", [6, 12, 25])
def test_cuts_dissolve_hides_who_comes(scenes, hider, length):
  """While one person dissolves into another, neither cut nor gap tells; the portrait does."""
  first, second, _ = scenes
  between = [faded(first, second, (i + 1) / (length + 1)) for i in range(length)]
  pictures = [first] * 30 + between + [second] * 40
  clear, result = run(pictures, hider, range(len(pictures)), keep_first(99), window=48, hold=48)
  assert set(range(16)) <= set(clear) and max(clear) <= 30 + 0.4 * length and result.doubted > 0


def test_cuts_another_person_in_a_gap(scenes, hider):
  """Somebody else who is found where the kept face was lost is hidden, though the scene is the same."""
  first, second, _ = scenes
  other = first.copy()
  other[40:80, 60:100] = second[40:80, 60:100]
  gone = first.copy()
  gone[40:80, 60:100] = 90
  pictures = [first] * 30 + [gone] * 6 + [other] * 30 + [gone] * 6 + [first] * 20
  shown = [n for n in range(92) if not 30 <= n < 36 and not 66 <= n < 72]
  clear, _ = run(pictures, hider, shown, keep_first(92), window=12, hold=12)
  assert set(range(30)) <= set(clear) and not set(range(36, 66)) & set(clear)
  assert set(range(72, 92)) <= set(clear)  # who was kept is known again


def test_cuts_moving_camera_cuts_nothing():
  """A camera that turns evenly, or shakes, cuts nothing; another scene does."""
  wide = np.random.default_rng(0).integers(0, 255, (12, 60, 3)).astype(np.uint8).repeat(20, 0).repeat(20, 1)
  watched = shots.Shots()
  at = [int(400 + 150 * np.sin(n / 20)) for n in range(60)]
  assert not any(watched.add(n, shots.look(wide[40:160, x : x + 160])) for n, x in enumerate(at))
  assert watched.reaches(3, 59) and watched.reaches(59, 3)
  assert watched.add(60, shots.look(wide[100:220, 900:1060])) and not watched.reaches(59, 60)


def test_cuts_two_files_joined_end_to_end(scenes, tmp_path, monkeypatch, capsys):
  """The whole program: keeping the first person of two joined shots shows nobody of the second."""
  av = pytest.importorskip("av")
  monkeypatch.chdir(tmp_path)
  drawn = synthetic.make(num_people=4, images_per_person=1, frame_size=96, seed=0)
  pictures = []
  for person, level in ((0, 90), (1, 170)):
    scene = np.full((160, 160, 3), level, np.uint8)
    scene[32:128, 32:128] = drawn[person].image
    pictures += [scene] * 20
  with av.open("in.mp4", "w") as container:
    stream = container.add_stream("h264", rate=fractions.Fraction(25))
    stream.width = stream.height = 160
    stream.pix_fmt = "yuv420p"
    for picture in pictures:
      container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    container.mux(stream.encode())
  usual = ["in.mp4", "--detector=haar", "--feather=0"]
  assert program.main([*usual, "-o", "a.mp4"]) == program.OK
  assert program.main([*usual, "-o", "b.mp4", "--keep=a.mp4.json:1"]) == program.OK
  assert "person (track) hidden in 20 of 40 frames" in capsys.readouterr().err
  with av.open("b.mp4") as container:
    made = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
  centre = [float(one[60:100, 60:100].mean()) for one in made]
  assert min(centre[:20]) > 40 and max(centre[20:]) < 10
