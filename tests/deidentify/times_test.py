"""The output lasts and steps as the input does, whatever the container's clock does, by what FFmpeg decodes of both."""

import fractions

import numpy as np
import pytest
import recipes
from PIL import Image

from qm_vae.deidentify import video
from qm_vae.deidentify.video import clock

av = pytest.importorskip("av", reason="requirements-video.txt is not installed")
reader = pytest.importorskip("qm_vae.deidentify.video.reader")

STEP = 1 / recipes.RATE
TICK = 2e-3  # two ticks of Matroska's clock


def times(path):
  """Seconds at which the frames are shown, from the first one on, and for how long the last one is."""
  shown = recipes.decoded(path)
  return np.array([time for time, _ in shown]) - shown[0][0], shown[-1][1]


def assert_steps(path, steps, count):
  """Every step is `steps` long, and so is the last frame where the container says so."""
  seen, last = times(path)
  assert len(seen) == count
  np.testing.assert_allclose(np.diff(seen), steps, atol=TICK)
  assert last == 0 or path.suffix == ".avi" or abs(last - np.broadcast_to(steps, count - 1)[-1]) <= TICK


def sound_late(path):
  """Seconds by which the sound that is heard begins after the first frame, and how long it is."""
  blocks = [block for block in recipes.decoded(path, "audio") if block[1] > 0]
  return blocks[0][0] - recipes.decoded(path)[0][0], blocks[-1][0] + blocks[-1][1] - blocks[0][0]


@pytest.mark.parametrize("target", [".mp4", ".mkv", ".ts", ".mov"])
@pytest.mark.parametrize(("codec", "form"), [("libx264", "h264"), ("libx265", "hevc"), ("mpeg4", "m4v")])
def test_times_stream_without_timestamps_lasts(codec, form, target, tmp_path):
  """A raw stream without any timestamp lasts as long as its frames at their rate."""
  source = recipes.video(tmp_path / "in.bin", codec=codec, form=form)
  assert recipes.copy(source, tmp_path / f"out{target}").frames == 40
  assert_steps(tmp_path / f"out{target}", STEP, 40)


@pytest.mark.parametrize("target", [".mp4", ".mkv"])
@pytest.mark.parametrize(
  ("suffix", "form", "codec", "audio"),
  [(".ts", "mpegts", "libx264", "aac"), (".mpg", "mpeg", "mpeg2video", "mp2")],
)
def test_times_clock_that_restarts_goes_on(suffix, form, codec, audio, target, tmp_path):
  """Streams that were joined byte for byte last as long as both, and their sound stays beside the pictures."""
  one = recipes.video(tmp_path / f"one{suffix}", codec=codec, form=form, audio=audio)
  source = tmp_path / f"in{suffix}"
  source.write_bytes(one.read_bytes() * 2)
  made = recipes.copy(source, tmp_path / f"out{target}")
  assert made.frames == 80 and any("restarts 1 times" in note for note in made.notes)
  assert_steps(tmp_path / f"out{target}", STEP, 80)
  before, after = sound_late(one), sound_late(tmp_path / f"out{target}")
  # Blocks of AAC and MP2 are 21 and 24 ms long; one that falls onto the first part's end is left out.
  assert abs(after[0] - before[0]) < 0.03 and abs(after[1] - (before[1] + 1.6)) < 0.06


def test_times_clock_that_jumps_goes_on(tmp_path):
  """A transport stream whose clock jumps ahead by hours goes on, and a pause of seconds stays."""
  base = fractions.Fraction(1, 90_000)
  jump = np.arange(40) * 3600 + np.where(np.arange(40) < 20, 0, 7200 * 90_000)
  pause = np.arange(40) * 3600 + np.where(np.arange(40) < 20, 0, 3 * 90_000)
  for name, when, longest in (("jump", jump, STEP), ("pause", pause, 3 + STEP)):
    source = recipes.video(tmp_path / f"{name}.ts", times=when, base=base, options={"bf": "0"})
    recipes.copy(source, tmp_path / f"{name}.mp4")
    seen = times(tmp_path / f"{name}.mp4")[0]
    assert len(seen) == 40 and abs(np.diff(seen).max() - longest) < TICK and abs(np.diff(seen).min() - STEP) < TICK


@pytest.mark.parametrize("target", [".mp4", ".mov", ".mkv"])
def test_times_trimmed_clip_whole(target, tmp_path):
  """A clip trimmed by an edit list is whole, and the sound that was trimmed away is not heard."""
  whole = recipes.video(tmp_path / "whole.mp4", count=60, audio="aac", options={"g": "10"})
  source = recipes.trim(whole, tmp_path / "in.mp4", 0.52)
  with av.open(str(source)) as file:
    assert file.streams.video[0].frames > len(recipes.decoded(source))  # the file counts what it does not show
  one = reader.Reader(str(source))
  shown = sum(isinstance(item, video.Frame) for item in one)
  assert one.exact and one.expected == shown == len(recipes.decoded(source))
  one.close()
  recipes.copy(source, tmp_path / f"out{target}")
  assert_steps(tmp_path / f"out{target}", STEP, shown)
  before, after = sound_late(source), sound_late(tmp_path / f"out{target}")
  # Half a block of AAC is cut by the edit list, which Matroska has not.
  assert abs(after[0] - before[0]) < 0.022 and abs(after[1] - before[1]) < 0.022


@pytest.mark.parametrize("source_suffix", [".mp4", ".mkv", ".mov", ".ts"])
@pytest.mark.parametrize(("first", "first_sound"), [(-5, -9600), (25, 0), (0, 24000)])
def test_times_starts_before_and_after_zero_kept(first, first_sound, source_suffix, tmp_path):
  """Whichever of pictures and sound begins first, and before zero, they stay beside each other."""
  source = recipes.video(
    tmp_path / f"in{source_suffix}",
    times=range(first, first + 40),
    audio="aac",
    first_sound=first_sound,
    container_options={"avoid_negative_ts": "disabled"} if source_suffix != ".ts" else {},
  )
  count = len(recipes.decoded(source))
  recipes.copy(source, tmp_path / "out.mp4")
  recipes.copy(source, tmp_path / "out.mkv")
  late = first_sound / 48000 - first * STEP
  for name in ("out.mp4", "out.mkv"):
    assert_steps(tmp_path / name, STEP, count)
    assert abs(sound_late(tmp_path / name)[0] - late) < 0.025  # a block of AAC, 21 ms, is heard or is not


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts", ".avi"])  # an .avi is so by itself
def test_times_out_of_order_sorted(suffix, tmp_path):
  """Frames whose times are those of decoding are shown in their order at even steps."""

  def flat(packet):
    packet.dts += round(0.08 / packet.time_base)
    packet.pts = packet.dts
    return packet

  source = recipes.video(tmp_path / "plain.mp4", options={"bf": "3"})
  if suffix == ".avi":
    source = recipes.video(tmp_path / "in.avi", options={"bf": "3"})
  else:
    source = recipes.remux(source, tmp_path / f"in{suffix}", flat)
  assert min(np.diff([time for time, _ in recipes.decoded(source)])) < 0
  recipes.copy(source, tmp_path / "out.mp4")
  assert_steps(tmp_path / "out.mp4", STEP, 40)
  brightness = [frame.to_ndarray(format="rgb24").mean() for frame in av.open(str(tmp_path / "out.mp4")).decode(video=0)]
  assert (np.diff(brightness) > 0).all()


@pytest.mark.parametrize("target", [".mp4", ".mkv", ".webm", ".ts", ".gif", ".avi"])
def test_times_variable_rate_kept(target, tmp_path):
  """Steps of different lengths are kept, in every container."""
  when = np.cumsum([0] + [40] * 10 + [120] * 10 + [80] * 5)
  source = recipes.video(tmp_path / "in.mkv", len(when), times=when, base=fractions.Fraction(1, 1000))
  recipes.copy(source, tmp_path / f"out{target}")
  seen = times(tmp_path / f"out{target}")[0]
  if target == ".avi":  # it stores times of decoding alone; FFmpeg guesses those of display
    with av.open(str(tmp_path / "out.avi")) as file:
      seen = np.array([float(packet.dts * packet.time_base) for packet in file.demux(video=0) if packet.size])
    seen -= seen[0]
  np.testing.assert_allclose(seen, when / 1000, atol=TICK)


@pytest.mark.parametrize(("loop", "expected"), [(None, None), (0, 0), (3, 3)])
def test_times_gif_plays_as_often(loop, expected, tmp_path):
  """A GIF is repeated as often as the original, and each of its pictures is shown for as long."""
  durations = [50, 200, 100, 400]
  pictures = [Image.fromarray(recipes.picture(3 * n)) for n in range(4)]
  again = {} if loop is None else {"loop": loop}
  pictures[0].save(tmp_path / "in.gif", save_all=True, append_images=pictures[1:], duration=durations, **again)
  recipes.copy(tmp_path / "in.gif", tmp_path / "out.gif")
  with Image.open(tmp_path / "out.gif") as made:
    assert made.info.get("loop") == expected and made.n_frames == 4
    shown = []
    for n in range(4):
      made.seek(n)
      shown.append(made.info["duration"])
  assert shown == durations


class _Shown:
  """A frame for the clock."""

  def __init__(self, pts, duration=4):
    self.shown, self.pts, self.duration = True, pts, duration


@pytest.mark.parametrize(
  ("given", "expected"),
  [
    ([0, 4, 8], [0, 4, 8]),
    ([None, None, None], [0, 4, 8]),
    ([None, None, 3], [-5, -1, 3]),
    ([0, None, 8, None], [0, 4, 8, 12]),
    ([0, 8, 4, 12], [0, 4, 8, 12]),
    ([5, 5, 5], [5, 6, 7]),
    ([], []),
  ],
)
@pytest.mark.parametrize("depth", [2, 16])
def test_times_in_order_fills_and_sorts(depth, given, expected):
  """Missing times follow from durations, and those out of order are sorted."""
  made = list(clock.in_order(map(_Shown, given), 4, depth))
  assert [at for _, at in made] == expected
