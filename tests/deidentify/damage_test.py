"""Damaged and lost packets: what builds on them is black until the next clean key frame, and the exit status is 1."""

import json

import numpy as np
import pytest
import recipes

from qm_vae.deidentify import __main__ as program
from qm_vae.deidentify import video

av = pytest.importorskip("av", reason="requirements-video.txt is not installed")
reader = pytest.importorskip("qm_vae.deidentify.video.reader")

COUNT, KEY = 100, 40  # frames; distance of key frames
STRUCK = 30  # the frame whose packet is damaged
OPTIONS = {
  "libx264": {"g": f"{KEY}", "bf": "0", "sc_threshold": "0"},
  "libx265": {"x265-params": f"log-level=error:keyint={KEY}:bframes=0:scenecut=0"},
  "mpeg4": {"g": f"{KEY}"},
  "mpeg2video": {"g": f"{KEY}"},
}


def moving(n):
  """Coloured blocks that move, with noise, so that every frame needs the one before."""
  blocks = np.random.default_rng(5).integers(40, 200, (15, 40, 3)).repeat(8, 0).repeat(8, 1)
  noise = np.random.default_rng(n).integers(0, 25, (recipes.HEIGHT, recipes.WIDTH, 3))
  return (np.roll(blocks, 3 * n, 1)[:, : recipes.WIDTH] + noise).astype(np.uint8)


def damaged(source, target, how):
  """`source` with the packet of frame STRUCK as it comes over a bad line or disk."""
  seen = []

  def change(packet):
    seen.append(1)
    if len(seen) != STRUCK + 1:
      return packet
    if how == "lost":
      return None
    data = bytearray(bytes(packet))
    if how == "zeros":
      data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    elif how == "short":
      data = data[: len(data) // 2]
    elif how == "flips":
      for at in np.random.default_rng(1).integers(20, len(data), 8):
        data[at] ^= 16
    made = av.Packet(bytes(data))
    made.pts, made.dts, made.time_base, made.duration = packet.pts, packet.dts, packet.time_base, packet.duration
    made.is_keyframe, made.stream = packet.is_keyframe, packet.stream
    return made

  return recipes.remux(source, target, change)


def without_packets(source, target):
  """A transport stream without three of its packets of 188 bytes, in the middle of frame STRUCK or near it."""
  data = bytearray(source.read_bytes())
  at = len(data) // 188 * STRUCK // COUNT
  del data[188 * at : 188 * (at + 3)]
  target.write_bytes(data)
  return target


def pictures(path):
  """Every frame's picture by its time, as FFmpeg decodes them."""
  with av.open(str(path)) as file:
    return {round(frame.time, 3): frame.to_ndarray(format="rgb24").astype(int) for frame in file.decode(video=0)}


def read(path):
  """(time, damaged, picture) of every frame, and the Reader."""
  one = reader.Reader(str(path))
  frames = [(round(f.time, 3), f.damaged, f.pixels().astype(int)) for f in one if isinstance(f, video.Frame)]
  one.close()
  return frames, one


@pytest.mark.parametrize(
  ("codec", "how"),  # arithmetic codes take flipped bits for others, so that no decoder of H.264 knows of them
  [("libx264", "zeros"), ("libx264", "short"), *((c, h) for c in ("mpeg4", "mpeg2video") for h in ("zeros", "flips"))],
)
def test_damage_lasts_until_next_key_frame(codec, how, tmp_path):
  """Every frame that a damaged packet changes is damaged, and none after the next key frame."""
  source = recipes.video(tmp_path / "in.mkv", COUNT, codec, show=moving, options=OPTIONS[codec])
  clean = pictures(source)
  frames, _ = read(damaged(source, tmp_path / "bad.mkv", how))
  changed = [time for time, _, picture in frames if np.abs(picture - clean[time]).max() > 40]
  black = [time for time, is_damaged, _ in frames if is_damaged]
  assert changed and set(changed) <= set(black)
  # As many threads as there are cores decode ahead, so that an error may be known some frames late, never early.
  assert min(black) >= (STRUCK - 1) / recipes.RATE - 1e-3 and max(black) < 2 * KEY / recipes.RATE
  assert frames[-1][1] is False


def test_damage_hevc_reference_lost(tmp_path):
  """HEVC whose reference was lost is damaged, where FFmpeg by itself leaves frames out without a word."""
  source = recipes.video(tmp_path / "in.mkv", COUNT, "libx265", show=moving, options=OPTIONS["libx265"])
  frames, one = read(damaged(source, tmp_path / "bad.mkv", "lost"))
  assert one.damaged_packets > 0 and len(frames) < COUNT
  assert not frames[0][1] and not frames[-1][1]


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video"])
def test_damage_lost_packets_of_a_transport_stream(codec, tmp_path):
  """Packets that a transport stream lost are known by its counter."""
  source = recipes.video(tmp_path / "in.ts", COUNT, codec, show=moving, options=OPTIONS[codec])
  clean = pictures(source)
  origin = min(clean)
  clean = {round(time - origin, 3): picture for time, picture in clean.items()}
  frames, _ = read(without_packets(source, tmp_path / "bad.ts"))
  changed = [time for time, _, picture in frames if np.abs(picture - clean[time]).max() > 40]
  black = [time for time, is_damaged, _ in frames if is_damaged]
  assert set(changed) <= set(black) and black
  assert not frames[0][1] and not frames[-1][1]


def test_damage_blackens_and_fails(tmp_path, capsys):
  """The program writes what is damaged in black, says how many frames, and ends with status 1."""
  source = recipes.video(tmp_path / "in.mkv", COUNT, show=moving, options=OPTIONS["libx264"])
  bad = damaged(source, tmp_path / "bad.mkv", "zeros")
  flags = ["--detector=haar", "--scale=160", "--min-size=24", "--every=8"]
  assert program.main([str(bad), str(tmp_path / "out.mkv"), *flags]) == program.FAILED
  assert "frames were blanked: damaged" in capsys.readouterr().err
  record = json.loads((tmp_path / "out.mkv.json").read_text())
  black = [row["frame"] for row in record["frames"] if row.get("blanked") == "damaged"]
  assert black == list(range(STRUCK - 1, KEY)) or black == list(range(STRUCK, KEY))
  shown = list(pictures(tmp_path / "out.mkv").values())
  assert all(shown[n].max() < 20 for n in black) and shown[0].max() > 100 and shown[-1].max() > 100
