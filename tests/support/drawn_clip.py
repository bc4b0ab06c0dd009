"""A short clip of drawn faces for review: one to keep, one that the cascade misses, one to drop, and another shot."""

import fractions

import numpy as np

from qm_vae.data import synthetic

WIDTH, HEIGHT, COUNT, CUT, SIDE = 320, 240, 40, 20, 96
KEPT, DROPPED, NEXT = (10, 20), (210, 20), (112, 130)
"""Where faces are, x and y: two in the first shot, one in the second."""


def missed_at(frame):
  """Where the face upside down is, which the cascade misses, in the first shot."""
  return 20 + 2 * frame, 136


def faces():
  """Drawn faces, uint8 [96, 96, 3], of which the cascade finds the upright ones."""
  source = synthetic.make(num_people=17, images_per_person=1, frame_size=SIDE, seed=0)
  return [source[i].image for i in (0, 1, 11, 16)]


def frames():
  """The clip, uint8 [H, W, 3] each."""
  kept, missed, dropped, other = faces()
  made = []
  for n in range(COUNT):
    image = np.full((HEIGHT, WIDTH, 3), 190 if n < CUT else 120, np.uint8)
    shown = [(kept, KEPT), (dropped, DROPPED), (missed[::-1], missed_at(n))] if n < CUT else [(other, NEXT)]
    for face, (x, y) in shown:
      image[y : y + SIDE, x : x + SIDE] = face
    made.append(image)
  return made


def write(path, images=None, codec="libx264"):
  """Writes the clip; returns its path."""
  import av

  with av.open(str(path), "w") as out:
    stream = out.add_stream(codec, rate=25, options={"crf": "12"})
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    for n, image in enumerate(frames() if images is None else images):
      picture = av.VideoFrame.from_ndarray(image, format="rgb24")
      picture.pts, picture.time_base = n, fractions.Fraction(1, 25)
      out.mux(stream.encode(picture))
    out.mux(stream.encode(None))
  return path


def read(path):
  """uint8 [N, H, W, 3], every frame of a video."""
  import av

  with av.open(str(path)) as file:
    return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])
