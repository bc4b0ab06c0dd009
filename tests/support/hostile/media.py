"""Pictures and videos."""

import numpy as np

from hostile.spoiling import any_file, cached
from hostile.verdicts import Kind


def _picture(folder):
  from PIL import Image

  image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))
  for name in ("a.png", "b.jpg", "c.gif", "d.tif", "e.webp", "f.bmp"):
    image.save(folder / name)


def _spoil_picture(rng, folder):
  if rng.random() < 0.2:
    import struct
    import zlib

    sides = rng.choice(((14_000, 12_600), (2**31 - 1, 2**31 - 1), (0, 9), (13_000, 13_600), (1, 2**31 - 1)))
    packed = lambda tag, data: struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))
    head = packed(b"IHDR", struct.pack(">IIBBBBB", *sides, 8, 2, 0, 0, 0))
    rows = zlib.compress(bytes(2**24))
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + packed(b"IDAT", rows) + packed(b"IEND", b""))
    return "a.png"
  return any_file(*(path.name for path in sorted(folder.iterdir())))(rng, folder)


def _read_pictures(folder):
  from qm_vae.io import images

  for path in sorted(folder.iterdir()):
    images.read_image(path)


_CODECS = {
  "a.mp4": "libx264",
  "b.mkv": "ffv1",
  "c.avi": "mjpeg",
  "d.webm": "libvpx",
  "e.gif": "gif",
  "f.ts": "mpeg2video",
}
_PLAYLISTS = (
  "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
  "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
  "ffconcat version 1.0\nfile '/etc/passwd'\n",
  "ffconcat version 1.0\nfile '../outside.png'\n",
  "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
  "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><BaseURL>/etc/passwd</BaseURL></MPD>",
)


def _videos(folder):
  import av

  noise = np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), np.uint8)
  for name, codec in _CODECS.items():
    with av.open(str(folder / name), "w") as out:
      stream = out.add_stream(codec, rate=25)
      stream.width, stream.height = 64, 48
      stream.pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
      for image in noise:
        out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=stream.pix_fmt)))
      out.mux(stream.encode(None))


def _spoil_video(rng, folder):
  name = any_file(*_CODECS)(rng, folder)
  if rng.random() < 0.15:
    (folder / name).write_text(rng.choice(_PLAYLISTS))
  for other in _CODECS:
    if other != name:
      (folder / other).unlink()
  return name


def _read_videos(folder):
  from qm_vae.deidentify.video import Frame, opening, reader

  for path in sorted(folder.iterdir()):
    opening.has_sound(str(path))
    video = reader.Reader(str(path))
    try:
      for frame in video:
        if isinstance(frame, Frame):
          frame.pixels()
    finally:
      video.close()


KINDS = {
  "pictures": Kind(_picture, _spoil_picture, _read_pictures, apart=True),
  "videos": Kind(cached(_videos), _spoil_video, _read_videos, apart=True),
}
"""By name."""
