"""The hair of a drawn face: behind the head, over the forehead, and on chin and lip.

Every painter takes the `Scene` of `qm_vae.data.synthetic.face_drawing`.
"""

import math

import numpy as np

from qm_vae.data.synthetic.drawing import ANGLES, SHADOW, both, dome, edge, ramp, with_slope

COVERED_EARS = ("bob", "long", "wavy")
"""Hair styles that hide the ears."""


def _strands(scene, along):
  """Brightness of hair that runs across `along`, about 1."""
  table = np.interp(np.arange(1024) / 16, np.arange(65), [*scene.person.texture, scene.person.texture[0]])
  return 1 + np.float32(0.16) * table.astype(np.float32)[(along * np.float32(1024)).astype(np.int32) % 1024]


def _angles():
  return (np.arange(ANGLES) + 0.5) * (2 * np.pi / ANGLES) - np.pi


def _grown(scene, volume):
  """The head's outline grown by hair: [ANGLES] of `volume` over the crown, nothing below the ears."""
  angle = _angles()
  up = -np.sin(angle)
  low = -0.45 if scene.person.hair_style == "curly" else -0.25
  cover = np.clip((up - low) / 0.6, 0, 1)
  radius = scene.outline[0] * (1 + volume * cover * cover * (3 - 2 * cover)) + 0.015
  return angle, up, radius


def _hair_colour(scene, strands, shine=None):
  colour = np.asarray(scene.person.hair_colour, np.float32) * scene.tone.astype(np.float32)
  planes = colour[:, None, None] * strands
  if shine is not None:
    planes = planes + np.float32(0.10) * (0.3 + colour.max()) * shine * scene.tone.astype(np.float32)[:, None, None]
  return planes


def back_hair(scene):
  """Hair behind head and shoulders."""
  person, view = scene.person, scene.view
  style = person.hair_style
  if style == "bun":
    window = view.window(-0.4, 0.4, -1.7, -0.8)
    u, v = view.flat_u[window], view.flat_v[window]
    ball = edge(0.24 + 0.4 * person.hair_volume - np.hypot(u, v + 1.16), view.pixel)
    scene.canvas.over(window, ball, _hair_colour(scene, 0.85 * _strands(scene, 0.5 + 0.3 * u + 0.5 * v)))
  if style not in COVERED_EARS:
    return
  end = 0.45 + 0.2 * person.hair_length if style == "bob" else person.hair_length
  width = person.head_width + 0.10 + 0.6 * person.hair_volume
  window = view.window(-width - 0.15, width + 0.15, -0.3, end + 0.1)
  u, v = view.flat_u[window], view.flat_v[window]
  # Falls from the skull's width at the temples to its own below the ears.
  edge_u = width + 0.05 * np.sin(3.0 * v) - (0.06 + 0.28 * person.hair_volume) * (1 - ramp(v, -0.28, 0.12))
  if style == "wavy":
    edge_u = edge_u + 0.05 * np.sin(11 * v)
  if style == "bob":
    edge_u = edge_u - 0.10 * ramp(v, 0.3, end)
  coverage = both(edge(edge_u - np.abs(u), view.pixel), edge(end - 0.12 * (u / width) ** 2 - v, view.pixel))
  coverage = coverage * edge(v + 0.28, view.pixel)
  scene.canvas.over(window, coverage, _hair_colour(scene, 0.72 * _strands(scene, 0.5 + 0.55 * u)))


def _hairline(scene, u, across):
  """v below which the front hair ends, for every u."""
  person = scene.person
  style, top, side = person.hair_style, person.hairline, person.head_width
  temple = ramp(across, 0.60 * side, 0.99 * side)
  burn = 0.16 if style in ("cropped", "parted", "quiff", "receding") else 0.35
  if style == "receding":
    line = top - 0.10 - 0.22 * dome(across, 0, (0.42 * side, 0), (0.35, 1))
  elif style in ("parted", "long", "wavy"):
    part = person.parting
    toward = (u - part) * np.float32(-math.copysign(1, part))
    line = top - 0.10 + 0.30 * ramp(toward, -0.02, 0.95) + 0.20 * ramp(-toward, 0.0, 0.55)
  elif style in ("fringe", "bob"):
    line = -0.40 + 0.25 * (top + 0.56) - 0.05 * across + 0.02 * np.sin(17 * u + 5 * person.parting)
  elif style == "curly":
    line = top + 0.04 + 0.035 * np.sin(16 * u + 9 * person.parting)
  elif style == "quiff":
    line = top - 0.02 + 0.08 * u * math.copysign(1, person.parting)
  else:
    line = top + 0.10 * across * across
  return line + (burn - line) * temple * temple


def front_hair(scene):
  """Hair on and around the skull, over the forehead."""
  person, view = scene.person, scene.view
  style = person.hair_style
  if style == "bald":
    return
  volume = person.hair_volume
  volume *= {"cropped": 0.5, "receding": 0.25, "bun": 0.5, "quiff": 1.0, "curly": 1.45}.get(style, 1.0)
  angle, up, radius = _grown(scene, volume)
  if style == "curly":
    radius = radius + 0.035 * np.sin(22 * angle) * np.clip(up + 0.5, 0, 1)
  if style == "quiff":
    lean = math.copysign(1, person.parting)
    radius = radius + 0.16 * np.exp(-(((np.cos(angle) - 0.35 * lean) / 0.45) ** 2)) * np.clip(up, 0, 1)
  outer, factor = with_slope(radius)
  side = person.head_width + 0.5 * volume + 0.1
  window = view.window(-side, side, -1.45 - volume, 0.75)
  index, far = (a[window] for a in view.polar)
  u, v = view.u[window], view.v[window]
  across = np.abs(u)
  inside = edge((outer[index] - far) * factor[index], view.pixel)
  line = _hairline(scene, u, across)
  slope = np.zeros_like(line)  # the line falls steeply at the temples
  slope[:, 1:-1] = (line[:, 2:] - line[:, :-2]) * np.float32(0.5 / view.pixel)
  above = edge((line - v) / np.sqrt(1 + slope * slope), view.pixel)
  if style == "receding":
    above = above * (0.25 + 0.75 * ramp(across, 0.55 * person.head_width, 0.8 * person.head_width))
  coverage = both(inside, above)
  if style in ("parted", "long", "wavy", "fringe", "bob"):
    strands = _strands(scene, 0.5 + 0.5 * (u - person.parting) * (1.2 + v))
  elif style == "curly":
    curl = np.sin(21 * u + 3 * np.sin(9 * v)) * np.sin(19 * v + 2 * np.sin(11 * u))
    strands = 1 + np.float32(0.16) * curl.astype(np.float32)
  else:
    strands = _strands(scene, index.astype(np.float32) * np.float32(1.2 / ANGLES))
  towards = scene.photo.light
  shine = dome(u, v, (0.35 * towards[0], -0.92 + 0.1 * towards[1]), (0.75, 0.26))
  depth = 0.80 + 0.25 * ramp(line - v, 0.0, 0.25)
  # Hair throws a shadow on the forehead.
  scene.canvas.multiply(window, 0.55 * inside * (1 - ramp(v - line, -0.02, 0.10)), SHADOW)
  scene.canvas.over(window, coverage, _hair_colour(scene, strands * depth, shine))
  if style in ("long", "wavy") and person.hair_length > 0.9:
    _locks(scene)


def _locks(scene):
  """Long hair that falls before the shoulders."""
  person, view = scene.person, scene.view
  end, side = person.hair_length, person.head_width
  window = view.window(-side - 0.35, side + 0.35, 0.0, end + 0.05)
  u, v = view.flat_u[window], view.flat_v[window]
  wave = 0.035 * np.sin(11 * v) if person.hair_style == "wavy" else 0.0
  inner = side * 0.97 - 0.05 * ramp(v, 0.0, 0.5) + wave
  outer = side + 0.06 + 0.6 * person.hair_volume + wave
  across = np.abs(u)
  coverage = both(edge(across - inner, view.pixel), edge(outer - across, view.pixel))
  coverage = both(coverage, edge(end - 0.5 * np.abs(across - 0.5 * (inner + outer)) - v, view.pixel)) * ramp(
    v, 0.0, 0.12
  )
  scene.canvas.over(window, coverage, _hair_colour(scene, 0.9 * _strands(scene, 0.5 + 0.8 * across)))


def beard(scene):
  """Stubble, goatee or full beard, under the lips."""
  person, view = scene.person, scene.view
  kind = person.facial_hair
  if kind in ("none", "moustache"):
    return
  growth = {"stubble": 0.0, "goatee": 0.05, "beard": 0.03 + 0.13 * person.facial_hair_size}[kind]
  down = np.maximum(np.sin(_angles()), 0)
  radius, factor = with_slope(scene.outline[0] * (1 + growth * down) + 0.005)
  side = person.head_width + 0.05
  window = view.window(-side, side, -0.1, scene.chin + 0.25)
  index, far = (a[window] for a in view.polar)
  u, v = view.u[window], view.v[window]
  across = np.abs(u)
  soft = max(view.pixel, 0.25 if kind == "stubble" else 0.035)
  line = person.nose_length + 0.135
  if kind == "goatee":
    width = person.mouth_width * (0.75 + 0.3 * person.facial_hair_size)
    region = both(edge(v - person.mouth_height - 0.09, soft), edge(width - across - 0.9 * (v - 0.85) ** 2, soft))
  else:
    top = line + (0.10 - 0.10 * person.facial_hair_size) * ramp(across, 0.0, 0.3)
    top = top + (-0.02 - top) * ramp(across, 0.30 * side, 1.0 * side) ** 2
    region = edge(v - top, soft)
  coverage = both(edge((radius[index] - far) * factor[index], view.pixel), region)
  opacity = 0.22 if kind == "stubble" else 0.88
  strands = 0.82 * _strands(scene, 0.5 + 0.9 * u + 0.25 * v)
  scene.canvas.over(window, opacity * coverage, _hair_colour(scene, strands))


def moustache(scene, window, lip_top, t):
  """Hair on the upper lip; `lip_top` [h, w] is the lip's upper edge, `t` [h, w] runs from -1 to 1 along the mouth."""
  person, view = scene.person, scene.view
  if person.facial_hair not in ("moustache", "beard", "goatee"):
    return
  u, v = view.u[window], view.v[window]
  soft = max(view.pixel, 0.02)
  square = t * t
  size = 0.055 + 0.045 * person.facial_hair_size
  low = lip_top + 0.012 + 0.03 * square
  high = lip_top - size * np.maximum(1.05 - square, 0.0) - 0.01 + 0.01 * dome(u, 0, (0, 0), (0.05, 1))
  coverage = both(edge(v - high, soft), edge(low - v, soft)) * edge((1.02 - np.abs(t)) * person.mouth_width, soft)
  scene.canvas.over(window, 0.88 * coverage, _hair_colour(scene, 0.85 * _strands(scene, 0.5 + 0.9 * u)))
