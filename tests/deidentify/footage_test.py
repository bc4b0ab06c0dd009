"""Moving pictures without a codec: the window, what is blanked, what stops, pipes and live frames."""

import fractions
import io
import json
import time

import numpy as np
import pytest

from qm_vae import types
from qm_vae.deidentify import footage, hiding, methods, selection, video
from qm_vae.deidentify.settings import Settings
from qm_vae.deidentify.sidecar import Sidecar
from qm_vae.deidentify.video import raw
from qm_vae.deidentify.video.aside import Aside

SIZE = WIDTH, HEIGHT = 96, 64
SIDE = 16


def picture(number, shown=True):
  """Noise with a plain square, the 'face', that moves to the right."""
  image = np.random.default_rng(number).integers(60, 120, (HEIGHT, WIDTH, 3)).astype(np.uint8)
  if shown:
    image[24 : 24 + SIDE, 20 + number : 20 + number + SIDE] = 250
  return image


def frames(count, **changes):
  """`count` frames; `changes` maps a field to {number: value}."""
  for n in range(count):
    one = video.Frame(n, n / 25, n, 1, False, lambda n=n: picture(n))
    yield one._replace(**{field: values[n] for field, values in changes.items() if n in values})


def find(image):
  """The square, exactly."""
  rows, columns = np.nonzero((image == 250).all(-1))
  if not len(rows):
    return types.Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
  box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
  return types.Detections(np.float32([box]), np.float32([0.9]))


class Sink:
  """Keeps what is written."""

  def __init__(self):
    self.pictures, self.packets = [], []

  def write(self, image, ticks, duration):
    self.pictures.append((ticks, image))

  def copy(self, packet):
    self.packets.append((len(self.pictures), packet))


@pytest.fixture(scope="module")
def hider():
  return hiding.Hider(methods.open_method("solid:size=16"))


def run(source, hider, finder=find, chosen=None, record=None, **settings):
  sink = Sink()
  detector = types.Detector(finder, 0.5, 0.25, {"name": "square"})
  record = record or Sidecar(None, {})
  result = footage.protect(
    source,
    sink,
    detector,
    hider,
    Settings(**settings),
    chosen or selection.Selection(),
    record,
    None,
    lambda n: None,
    SIZE,
  )
  return sink, result


def square(sink, n):
  """What stands in frame `n` where the face is."""
  return sink.pictures[n][1][24 : 24 + SIDE, 20 + n : 20 + n + SIDE]


def missing(*numbers):
  """A detector that sees nothing in those frames."""
  blind = {picture(n).tobytes() for n in numbers}
  nothing = types.Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
  return lambda image: nothing if image.tobytes() in blind else find(image)


def test_footage_frames_detector_misses_covered_both(hider):
  """Frames that the detector misses are covered from both sides."""
  sink, result = run(frames(40), hider, missing(0, 1, 7, 8, 9, 20, 38, 39), window=10, hold=10)
  assert [ticks for ticks, _ in sink.pictures] == list(range(40))
  assert not any(square(sink, n).any() for n in range(40))
  assert result.tracks == [
    {"track": 1, "first": 0, "found": 32, "filled": 4, "held": 4, "lost": 4, "left": 0, "last": 39}
  ]
  assert (sink.pictures[5][1][:10] == picture(5)[:10]).all()  # what is no face stays, bit for bit


def test_footage_faces_sought_every_nth_frame(hider):
  """Faces are sought in every nth frame alone and covered in all."""
  asked = []

  def counting(image):
    asked.append(1)
    return find(image)

  sink, _ = run(frames(40), hider, counting, every=4, window=12, hold=12)
  assert len(asked) == 10 and not any(square(sink, n).any() for n in range(40))


def still(number, since=0):
  """Noise with a plain square at the left border, from frame `since` on."""
  image = picture(number, shown=False)
  if number >= since:
    image[24 : 24 + SIDE, 2 : 2 + SIDE] = 250
  return image


@pytest.mark.parametrize(
  ("count", "since", "settings"),
  [
    (100, 26, {"every": 25, "window": 48, "hold": 48}),
    (60, 16, {"every": 15, "window": 48, "hold": 48}),
    (16, 5, {"every": 4, "window": 8, "hold": 8}),
  ],
)
def test_footage_face_stays_border_hidden_between(hider, count, since, settings):
  """A face that stays at the border is hidden between two looks."""
  pixels = {n: lambda n=n: still(n, since) for n in range(count)}
  sink, _ = run(frames(count, pixels=pixels), hider, **settings)
  clear = [n for n in range(since, count) if sink.pictures[n][1][24 : 24 + SIDE, 2 : 2 + SIDE].any()]
  assert not clear


def test_footage_memory_holds_few_frames_faces(hider, monkeypatch):
  """Where the memory holds few frames faces are sought more often."""
  monkeypatch.setattr(footage, "_MEMORY", 8 * 2 * WIDTH * HEIGHT)
  asked = []

  def counting(image):
    asked.append(1)
    return find(image)

  sink, result = run(frames(50), hider, counting, every=25, window=48, hold=48)
  assert len(asked) == 7 and not any(square(sink, n).any() for n in range(50))
  assert [track["track"] for track in result.tracks] == [1]


def test_footage_faces_sought_least_once_window():
  """Faces are sought at least once a window at any size."""
  for size, window in (((7680, 4320), 8), ((5760, 2880), 16), ((3840, 2160), 32), ((1920, 1080), 48)):
    settings = footage.within_memory(Settings(every=40), size)
    assert settings.window == settings.hold == window and settings.every == min(40, window)


def test_footage_damaged_frame_one_nobody_could(hider):
  """A damaged frame and one that nobody could look at are blanked."""

  def failing(image):
    if image.tobytes() == picture(6).tobytes():
      raise RuntimeError("out of luck")
    return find(image)

  sink, result = run(frames(12, damaged={3: True}), hider, failing)
  assert [n for n in range(12) if not sink.pictures[n][1].any()] == [3, 6]
  assert result.blanked == {"damaged": 1, "not looked at: out of luck": 1}


def test_footage_frame_faces_cannot_hidden_blanked():
  """A frame whose faces cannot be hidden is blanked and its neighbours are not."""
  real = hiding.Hider(methods.open_method("solid:size=16"))

  class Failing:
    foresight = 0.0

    def __call__(self, pictures, boxes, tracks, times):
      if any(image.tobytes() == picture(6).tobytes() for image in pictures):
        raise RuntimeError("no memory")
      return real(pictures, boxes, tracks, times)

  sink, result = run(frames(12), Failing())
  assert [n for n in range(12) if not sink.pictures[n][1].any()] == [6]
  assert result.blanked == {"a face could not be hidden": 1}


def test_footage_lost_face_masks_stops_asked(hider):
  """A lost face masks or stops when asked."""
  unseen = missing(*range(8, 12))
  sink, result = run(frames(12), hider, unseen, on_miss="mask")
  assert [n for n in range(12) if not sink.pictures[n][1].any()] == [8, 9, 10, 11]
  assert result.blanked == {footage.LOST: 4}
  with pytest.raises(footage.FaceLost, match="frame 8"):
    run(frames(12), hider, unseen, on_miss="stop")


def test_footage_never_more_frames_wait_window(hider):
  """Never more frames wait than the window."""
  alive, most = set(), []

  def counted():
    for one in frames(200):
      alive.add(one.number)
      yield one

  class Counting(Sink):
    def write(self, image, ticks, duration):
      most.append(len(alive))
      alive.discard(ticks)

  sink = Counting()
  detector = types.Detector(find, 0.5, 0.25, {})
  settings = Settings(window=10)
  footage.protect(
    counted(), sink, detector, hider, settings, selection.Selection(), Sidecar(None, {}), None, lambda n: None, SIZE
  )
  assert max(most) <= 10 + 2 * 8 and not alive  # one group is searched while the one before is followed
  assert footage.within_memory(Settings(window=48), (7680, 4320)).window == 8


def test_footage_face_left_region_sidecar_says(hider, tmp_path):
  """A face is left by region and the sidecar says so."""
  chosen = selection.Selection(keep=(selection.Region(0, 0, 40, 64),))
  record = Sidecar(tmp_path / "out.json", {"finding": None})
  sink, result = run(frames(20), hider, chosen=chosen, record=record)
  assert not (tmp_path / "out.json").exists()  # not before it is whole
  record.close({"summary": {"frames": 20}})
  message = json.loads((tmp_path / "out.json").read_text())
  hidden = [frame["faces"][0]["hidden"] for frame in message["frames"]]
  assert hidden == [28 + n >= 40 for n in range(20)] and result.left == 12
  assert [square(sink, n).any() for n in range(20)] == [not one for one in hidden]
  assert message["summary"] == {"frames": 20} and message["tracks"][0]["left"] == 12


def test_footage_pipes_carry_frames_refuse_torn(hider):
  """Pipes carry frames and refuse a torn one."""
  data = b"".join(picture(n).tobytes() for n in range(5))
  source = raw.Reader(io.BytesIO(data), WIDTH, HEIGHT, fractions.Fraction(25))
  target = io.BytesIO()
  result = footage.protect(
    source,
    raw.Writer(target),
    types.Detector(find, 0.5, 0.25, {}),
    hider,
    Settings(),
    selection.Selection(),
    Sidecar(None, {}),
    None,
    lambda n: None,
    SIZE,
  )
  written = np.frombuffer(target.getvalue(), np.uint8).reshape(5, HEIGHT, WIDTH, 3)
  assert result.frames == 5 and not (written == 250).all(-1).any()
  torn = raw.Reader(io.BytesIO(data[:-7]), WIDTH, HEIGHT, fractions.Fraction(25))
  with pytest.raises(video.VideoError, match="inside frame 4"):
    list(torn)


def test_footage_files_written_aside_come_whole(tmp_path):
  """Files written aside come whole or not at all."""
  final = tmp_path / "out.mp4"
  other = tmp_path / f".out.mp4.json.{2**22 + 1}.part"
  debris = tmp_path / f".out.mp4.{2**22 + 1}.part"  # of a process that cannot live: numbers end below 2^22
  debris.touch()
  other.touch()
  aside = Aside(final)
  assert not debris.exists() and other.exists() and not final.exists()
  aside.path.write_text("whole")
  aside.publish()
  assert final.read_text() == "whole" and not aside.path.exists()
  Aside(final).drop()
  assert final.read_text() == "whole"


def test_footage_live_frames_nobody_takes_dropped(monkeypatch):
  """Live frames that nobody takes are dropped oldest first."""
  pytest.importorskip("av")
  from qm_vae.deidentify.video import live

  class Camera:
    width, height, rate, depth, colours, hdr, notes = WIDTH, HEIGHT, fractions.Fraction(25), 8, {}, {}, ()
    codec, pixel_format, sample_aspect_ratio = "h264", "yuv420p", fractions.Fraction(1)

    def __init__(self, *_, **__):
      pass

    def __iter__(self):
      yield from frames(100)

    def close(self):
      pass

  monkeypatch.setattr(live.reader, "Reader", Camera)
  source = live.Reader("rtsp://nowhere")
  source._thread.join()
  taken = list(source)
  assert source.dropped == 92 and source.broken == "rtsp://nowhere ended"
  assert [one.number for one in taken] == list(range(8))
  assert (taken[0].pixels() == picture(92)).all() and taken[0].arrived <= time.monotonic()
  assert np.all(np.diff([one.ticks for one in taken]) > 0)
  source.close()
