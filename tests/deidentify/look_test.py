"""Which way up, in which colours and how deep: what FFmpeg decodes of the output is what it decodes of the input."""

import itertools
import struct

import numpy as np
import pytest
import recipes
from PIL import Image

av = pytest.importorskip("av", reason="requirements-video.txt is not installed")
reader = pytest.importorskip("qm_vae.deidentify.video.reader")

COLOURS = np.array(
  [[200, 40, 30], [30, 180, 60], [40, 50, 210], [220, 200, 40], [128, 128, 128], [250, 250, 250], [10, 10, 10]]
)
KR_KB = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}  # ITU-T H.273, Table 4
HDR10 = (
  "hdr10=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:"
  "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"
)


def corners(_):
  """Four colours, of which no turn and no mirror is the same, uint8 [120, 160, 3]."""
  image = np.zeros((recipes.HEIGHT, recipes.WIDTH, 3), np.uint8)
  for k, colour in enumerate(((220, 30, 30), (30, 200, 30), (30, 30, 220), (220, 220, 220))):
    image[60 * (k // 2) : 60 * (k // 2) + 60, 80 * (k % 2) : 80 * (k % 2) + 80] = colour
  return image


def first(path, form="rgb24"):
  """The first frame as FFmpeg decodes it, and as an array, as it is stored."""
  with av.open(str(path)) as file:
    frame = next(file.decode(video=0))
    return frame, frame.to_ndarray(format=form)


ORIENTATIONS = [m for m in itertools.product((-1, 0, 1), repeat=4) if sorted(map(abs, m)) == [0, 0, 1, 1]]
ORIENTATIONS = [(a, b, c, d) for a, b, c, d in ORIENTATIONS if abs(a * d - b * c) == 1]


@pytest.mark.parametrize("matrix", ORIENTATIONS)
def test_look_display_matrix_applied(matrix, tmp_path):
  """All eight display matrices of quarter turns and mirrors bring the picture to where ISO 14496-12 puts it."""
  path = recipes.video(tmp_path / "in.mp4", count=3, show=corners)
  a, b, c, d = matrix
  recipes.set_matrix(path, (a, b, 0, c, d, 0, 0, 0, 1))
  stored = corners(0)
  height, width = stored.shape[:2]
  q, p = np.mgrid[:height, :width]
  to_p, to_q = a * p + c * q, b * p + d * q  # (p', q', 1) = (p, q, 1) times the matrix
  shown = np.zeros((height, width, 3) if a else (width, height, 3), np.uint8)
  shown[to_q - to_q.min(), to_p - to_p.min()] = stored
  made = recipes.copy(path, tmp_path / "out.mp4", quality=1)
  frame, picture = first(tmp_path / "out.mp4")
  assert not [one for one in frame.side_data if "DISPLAYMATRIX" in str(one.type)]
  assert picture.shape == shown.shape
  inside = [slice(10, 50), slice(70, 110)] if a else [slice(10, 70), slice(90, 150)]
  across = [slice(10, 70), slice(90, 150)] if a else [slice(10, 50), slice(70, 110)]
  for rows, columns in itertools.product(inside, across):  # away from edges, which 4:2:0 softens
    assert np.abs(picture[rows, columns].astype(int) - shown[rows, columns]).max() < 12
  assert any("as its" in note for note in made.notes) == (matrix != (1, 0, 0, 1))


def test_look_other_angle_told(tmp_path):
  """A matrix that turns by no quarter is left alone, and a note says so."""
  path = recipes.video(tmp_path / "in.mp4", count=3, show=corners)
  half = 0.7071
  recipes.set_matrix(path, (half, half, 0, -half, half, 0, 0, 0, 1))
  assert any("no quarter turn" in note for note in recipes.copy(path, tmp_path / "out.mp4").notes)


def planes(colours, matrix, full, depth):
  """Y'CbCr of RGB colours by H.273, equations 20 to 41, as integers."""
  kr, kb = KR_KB[matrix]
  red, green, blue = (colours / 255).T
  luma = kr * red + (1 - kr - kb) * green + kb * blue
  chroma = (blue - luma) / 2 / (1 - kb), (red - luma) / 2 / (1 - kr)
  one = 2 ** (depth - 8)
  if full:
    most = 2**depth - 1
    return [np.rint(luma * most), *(np.rint(c * most + 128 * one) for c in chroma)]
  return [np.rint((16 + 219 * luma) * one), *(np.rint((128 + 224 * c) * one) for c in chroma)]


def colours_of(path):
  """RGB of the stripes, from the planes by the frame's own tags; and the frame."""
  frame, _ = first(path)
  depth = frame.format.components[0].bits
  kind = np.uint8 if depth == 8 else np.uint16
  luma, blue, red = (
    np.frombuffer(bytes(plane), kind).reshape(plane.height, -1).astype(float) for plane in frame.planes
  )
  at = np.arange(len(COLOURS))
  luma, blue, red = luma[32, 32 * at + 16], blue[16, 16 * at + 8], red[16, 16 * at + 8]
  one = 2 ** (depth - 8)
  low, wide, wider = (0, 2**depth - 1, 2**depth - 1) if frame.color_range == 2 else (16 * one, 219 * one, 224 * one)
  luma, blue, red = (luma - low) / wide, (blue - 128 * one) / wider, (red - 128 * one) / wider
  kr, kb = KR_KB[int(frame.colorspace)]
  r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
  return np.stack([r, (luma - kr * r - kb * b) / (1 - kr - kb), b], 1) * 255, frame


@pytest.mark.parametrize(("codec", "depth"), [("libx264", 8), ("libx264", 10), ("libx265", 8), ("libx265", 10)])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", KR_KB)
def test_look_colours_and_tags_kept(matrix, full, codec, depth, tmp_path):
  """Colours and their tags (matrix, range, primaries, transfer) are the original's, and so are its bits a sample."""
  tags = {"colorspace": matrix, "color_range": 2 if full else 1, "color_primaries": 9 if matrix == 9 else 1}
  tags["color_trc"] = 16 if matrix == 9 else 1
  source = recipes.stripes(tmp_path / "in.mkv", planes(COLOURS, matrix, full, depth), tags, codec, depth)
  made = recipes.copy(source, tmp_path / "out.mp4", quality=1)
  (before, old), (after, new) = colours_of(source), colours_of(tmp_path / "out.mp4")
  assert np.abs(before - COLOURS).max() < 2  # a rounded sample
  assert np.abs(after - COLOURS).max() < (5 if depth == 8 else 4)  # the scaler's fast paths are off by up to three
  for name in tags:
    assert int(getattr(new, name)) == int(getattr(old, name)) == tags[name]
  assert new.format.components[0].bits == old.format.components[0].bits == depth
  with av.open(str(tmp_path / "out.mp4")) as file:
    assert file.streams.video[0].codec_context.codec_tag == ("avc1" if codec == "libx264" else "hvc1")
  assert not any("bits a sample" in note for note in made.notes)


def test_look_rgb_is_not_tagged_as_rgb(tmp_path):
  """A video stored as RGB becomes YUV that says so, in the same colours."""
  source = recipes.video(tmp_path / "in.mkv", count=3, codec="libx265", pixels="gbrp", show=corners)
  made = recipes.copy(source, tmp_path / "out.mp4", quality=1)
  frame, picture = first(tmp_path / "out.mp4")
  assert frame.colorspace != 0 and np.abs(picture[20:40, 20:60].astype(int) - (220, 30, 30)).max() < 12
  assert any("half the resolution" in note for note in made.notes)


def smooth(n):
  """A ramp of 16 bits that 8 bits cannot hold, uint16 [120, 160, 3]."""
  ramp = 20_000 + 16 * np.arange(recipes.WIDTH) + 64 * n
  return np.broadcast_to(ramp[None, :, None].astype(np.uint16), (recipes.HEIGHT, recipes.WIDTH, 3)).copy()


@pytest.mark.parametrize(
  ("codec", "pixels", "target", "bits"),
  [
    ("libx265", "yuv420p10le", "hevc", 10),
    ("libx265", "yuv420p12le", "hevc", 12),
    ("libx264", "yuv420p10le", "h264", 10),
    ("prores_ks", "yuv422p10le", "h264", 10),
    ("ffv1", "gray16le", "hevc", 12),
    ("libx265", "yuv420p10le", "vp9", 8),
  ],
)
def test_look_bits_kept_where_encoder_can(codec, pixels, target, bits, tmp_path):
  """More than 8 bits stay, with the levels between those of 8 bits, where the encoder can; else a note says so."""
  options = {"x265-params": "log-level=error:lossless=1"} if codec == "libx265" else {}
  source = recipes.video(
    tmp_path / "in.mov" if codec == "prores_ks" else tmp_path / "in.mkv", 5, codec, pixels, show=smooth, options=options
  )
  made = recipes.copy(source, tmp_path / "out.mkv", codec=target, quality=1)
  frame, _ = first(tmp_path / "out.mkv")
  assert frame.format.components[0].bits == bits
  original = first(source)[0].format.components[0].bits
  assert any(f"{original} bits a sample became {bits}" in note for note in made.notes) == (original > bits)
  if bits > 8:
    levels = np.unique(first(tmp_path / "out.mkv", "gray16le")[1][60])
    assert len(levels) > 20  # 8 bits have at most eleven there: 16 * 160 / 256 + 1


def test_look_protected_blocks_have_eight_bits(tmp_path):
  """Where a face was hidden nothing of the original's further bits is left."""
  from qm_vae.deidentify import video
  from qm_vae.deidentify.video import encoding

  deep = np.random.default_rng(0).integers(0, 2**16, (50, 70, 3)).astype(np.uint16)
  shown = (deep >> 8).astype(np.uint8)
  made = shown.copy()
  made[10:30, 20:40] = 0
  frame = video.Frame(0, 0.0, 0, 1, False, lambda: shown, deep=lambda: deep)
  out = encoding.deepen(made, frame)
  assert not out[10:30, 20:40].any()
  mask = np.zeros((50, 70), bool)
  mask[0:32, 16:48] = True  # the blocks of 16 that the hidden area touches
  np.testing.assert_array_equal(out[~mask], deep[~mask])
  np.testing.assert_array_equal(out[mask], made[mask].astype(np.uint16) * 257)


@pytest.mark.parametrize("codec", ["hevc", "h264", "vp9"])
def test_look_hdr_metadata_kept_or_named(codec, tmp_path):
  """The mastering display's colours and the content's light are kept, or a note names them."""
  source = recipes.video(
    tmp_path / "in.mkv", 5, "libx265", "yuv420p10le", options={"x265-params": f"log-level=error:{HDR10}"}
  )
  made = recipes.copy(source, tmp_path / "out.mkv", codec=codec)
  kinds = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")
  before, after = (
    {kind: bytes(one) for one in first(path)[0].side_data for kind in kinds if str(one.type).endswith(kind)}
    for path in (source, tmp_path / "out.mkv")
  )
  assert len(before) == 2
  if codec == "vp9":
    assert any("HDR metadata (master-display, max-cll) are left out" in note for note in made.notes)
  else:
    lights = [struct.unpack("=22i", one["MASTERING_DISPLAY_METADATA"]) for one in (before, after)]
    assert lights[0] == lights[1] and before["CONTENT_LIGHT_LEVEL"] == after["CONTENT_LIGHT_LEVEL"]


def test_look_interlaced_told(tmp_path):
  """A note says that fields were woven into frames."""
  options = {"x264-params": "tff=1", "flags": "+ildct"}
  source = recipes.video(tmp_path / "in.mkv", 5, options=options)
  assert first(source)[0].interlaced_frame
  assert any("interlaced" in note for note in recipes.copy(source, tmp_path / "out.mp4").notes)


@pytest.mark.parametrize("suffix", [".mov", ".gif"])
def test_look_transparency_told(suffix, tmp_path):
  """A note says that transparency is lost."""
  if suffix == ".gif":
    picture = Image.fromarray(np.dstack([recipes.picture(3), np.full((120, 160), 255, np.uint8)]))
    picture.paste((0, 0, 0, 0), (0, 0, 40, 40))
    picture.save(tmp_path / "in.gif", save_all=True, append_images=[picture.rotate(180)], duration=100)
  else:
    recipes.video(tmp_path / "in.mov", 5, "prores_ks", "yuva444p10le")
  made = recipes.copy(tmp_path / f"in{suffix}", tmp_path / "out.mp4")
  assert any("transparency" in note for note in made.notes)


def test_look_size_that_changes_told(tmp_path):
  """Frames of another size are scaled to the first one's, and a note says so."""
  one = recipes.video(tmp_path / "one.ts", 10, options={"bf": "0"})
  two = recipes.video(tmp_path / "two.ts", 10, options={"bf": "0"}, show=lambda n: recipes.picture(n, 80, 60))
  (tmp_path / "in.ts").write_bytes(one.read_bytes() + two.read_bytes())
  made = recipes.copy(tmp_path / "in.ts", tmp_path / "out.mp4")
  assert made.frames == 20 and any("its size changes" in note for note in made.notes)
