"""Videos as people have them, made by code: each function writes one container and returns its path."""

import fractions

import numpy as np
import pytest

av = pytest.importorskip("av", reason="requirements-video.txt is not installed")

WIDTH, HEIGHT = 160, 120
RATE = 25


def picture(number, width=WIDTH, height=HEIGHT):
  """A grey ramp whose brightness tells the frame's number, uint8 [H, W, 3]."""
  ramp = np.linspace(0, 30, width, dtype=np.uint8)[None, :, None]
  return np.broadcast_to(ramp + np.uint8(20 + 4 * (number % 50)), (height, width, 3)).copy()


def video(
  path,
  count=40,
  codec="libx264",
  pixels="yuv420p",
  rate=RATE,
  times=None,
  base=None,
  audio="",
  form=None,
  show=picture,
  options=None,
  container_options=None,
  setup=None,
  first_sound=0,
):
  """A video of `count` frames `show(n)`, with a tone where `audio` names an encoder; `setup` changes the stream."""
  out = av.open(str(path), "w", format=form, options=container_options or {})
  quiet = {"x265-params": "log-level=error"} if codec == "libx265" else {}
  stream = out.add_stream(codec, rate=rate, options=quiet | (options or {}))
  first = show(0)
  stream.height, stream.width = first.shape[:2]
  stream.pix_fmt = pixels
  base = base or fractions.Fraction(1, rate)
  stream.codec_context.time_base = stream.time_base = base
  sound = out.add_stream(audio, rate=48000, layout="mono") if audio else None
  if setup:
    setup(stream)
  step = 48000 // RATE
  for n in range(count):
    frame = av.VideoFrame.from_ndarray(show(n), format="rgb24" if first.dtype == np.uint8 else "rgb48le")
    frame.pts, frame.time_base = (n if times is None else int(times[n])), base
    out.mux(stream.encode(frame))
    if sound:
      wave = (0.5 * np.sin(np.arange(n * step, (n + 1) * step) / 20)).astype(np.float32)[None]
      block = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
      block.sample_rate, block.pts = 48000, first_sound + n * step
      out.mux(sound.encode(block))
  for one in filter(None, (stream, sound)):
    out.mux(one.encode(None))
  out.close()
  return path


def remux(source, target, change=None, form=None, options=None):
  """The packets of `source` in another container; `change(packet)` may alter one, or return None to leave it out."""
  with av.open(str(source)) as here, av.open(str(target), "w", format=form, options=options or {}) as there:
    streams = {s.index: there.add_stream_from_template(s) for s in here.streams}
    for packet in here.demux():
      if not packet.size:
        continue
      packet = packet if change is None else change(packet)
      if packet is not None:
        packet.stream = streams[packet.stream.index]
        there.mux(packet)
  return target


def decoded(path, kind="video"):
  """(seconds, duration in seconds) of what FFmpeg shows or plays, from its first frame on, in the decoder's order."""
  with av.open(str(path)) as file:
    return [
      (None if f.time is None else float(f.time), float((f.duration or 0) * f.time_base))
      for f in file.decode(**{kind: 0})
    ]


def trim(source, target, begins):
  """What begins at a time, packet by packet from the key frame before it, with an edit list."""
  with av.open(str(source)) as here, av.open(str(target), "w") as there:
    streams = {s.index: there.add_stream_from_template(s) for s in here.streams}
    here.seek(int(begins * av.time_base))
    for packet in here.demux():
      if packet.size:
        ticks = int(begins / packet.time_base)
        packet.pts, packet.dts, packet.stream = packet.pts - ticks, packet.dts - ticks, streams[packet.stream.index]
        there.mux(packet)
  return target


def copy(source, target, **options):
  """`source` through Reader and Writer, nothing hidden; the Writer, with the notes of both."""
  from qm_vae.deidentify import video as moving
  from qm_vae.deidentify.video import reader, writer

  one = reader.Reader(str(source))
  made = writer.Writer(target, one, **options)
  for item in one:
    if isinstance(item, moving.Frame):
      made.write(item.pixels(), item.ticks, item.duration, item)
    else:
      made.copy(item)
  made.close()
  made.notes += one.notes
  one.close()
  return made


def set_matrix(path, matrix):
  """Writes a display matrix (a, b, u, c, d, v, x, y, w) into an MP4's video track header."""
  data = bytearray(path.read_bytes())
  at = data.index(b"tkhd")
  at += 4 + 4 + (32 if data[at + 4] else 20) + 16  # version and flags, times, the reserved, layer, volume
  fixed = [round(value * (2**30 if k % 3 == 2 else 2**16)) for k, value in enumerate(matrix)]
  data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in fixed)
  path.write_bytes(data)


def stripes(path, planes, tags, codec, depth):
  """Stripes 32 pixels wide of the given Y'CbCr values, in 4:2:0, lossless, with those colour tags."""
  quiet = {"qp": "0", "preset": "ultrafast"} if codec == "libx264" else {"x265-params": "log-level=error:lossless=1"}
  out = av.open(str(path), "w")
  stream = out.add_stream(codec, rate=RATE, options=quiet)
  count = len(planes[0])
  stream.width, stream.height, stream.pix_fmt = 32 * count, 64, "yuv420p" if depth == 8 else "yuv420p10le"
  for name, value in tags.items():
    setattr(stream.codec_context, name, value)
  kind = np.uint8 if depth == 8 else np.uint16
  for n in range(3):
    frame = av.VideoFrame(32 * count, 64, stream.pix_fmt)
    for k, (plane, values) in enumerate(zip(frame.planes, planes, strict=True)):
      rows = np.zeros((plane.height, plane.line_size // kind().itemsize), kind)
      wide = np.repeat(values, 16 if k else 32)
      rows[:, : len(wide)] = wide
      plane.update(rows.tobytes())
    frame.colorspace, frame.color_range = tags["colorspace"], tags["color_range"]
    frame.pts, frame.time_base = n, fractions.Fraction(1, RATE)
    out.mux(stream.encode(frame))
  out.mux(stream.encode(None))
  out.close()
  return path
