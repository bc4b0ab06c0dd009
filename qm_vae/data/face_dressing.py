"""What surrounds a drawn face: background, body, hair, facial hair and glasses.

Every painter takes the `Scene` of `qm_vae.data.face_drawing`.
"""

import math

import cv2
import numpy as np

from qm_vae.data.drawing import ANGLES, both, dome, edge, ramp, stroke, with_slope

_SHADOW = (0.62, 0.47, 0.44)
COVERED_EARS = ("bob", "long", "wavy")
"""Hair styles that hide the ears."""


def background(scene):
  """A gradient of two colours, up to three blurred blobs, and a coarse pattern."""
  photo, canvas = scene.photo, scene.canvas
  size = scene.view.size
  line = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
  x, y = line[None, :], line[:, None]
  mix = 0.5 + 0.7 * (math.cos(photo.background_angle) * x + math.sin(photo.background_angle) * y)
  pattern = cv2.resize(np.asarray(photo.texture, np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
  first, second = (np.asarray(c, np.float32)[:, None, None] for c in photo.background)
  canvas.pixels[:] = first + (second - first) * mix + pattern
  everywhere = (slice(None), slice(None))
  for u, v, radius, *colour in photo.blobs:
    canvas.over(everywhere, 0.8 * dome(x, y, (u, v), (1.4 * radius, 1.4 * radius)), colour)
  canvas.pixels *= np.float32(photo.exposure)


def body(scene):
  """Neck, shoulders and clothes; the body does not follow the head's pose."""
  person, view, canvas = scene.person, scene.view, scene.canvas
  pixel = view.pixel
  top = view.window(-0.8, 0.8, 0.2, 0.2)[0].start
  window = slice(top, None), slice(None)
  x, y = view.x[window], view.y[window]
  across = np.abs(x)
  skin = np.asarray(person.skin) * scene.tone
  neck = person.neck_width
  width = neck + 0.25 * ramp(y, 1.15, 1.6) ** 2
  round_neck = (0.95 - 0.35 * (x / neck) ** 2).astype(np.float32)
  canvas.over(window, edge(width - across, pixel), (skin * (0.88, 0.82, 0.80)).astype(np.float32)[:, None, None] * np.maximum(round_neck, 0.5))
  canvas.multiply(window, 0.85 * dome(x, y, (0, scene.chin - 0.05), (0.75, 0.42)) * edge(width - across, pixel), _SHADOW)
  reach = across / person.shoulder_width
  shoulder = 1.22 + 0.34 * reach**2 + 0.30 * reach**8
  if person.collar == "v":
    opening = 1.62 - 1.0 * across
  elif person.collar == "shirt":
    opening = 1.50 - 0.9 * across
  else:
    opening = 1.36 - 0.28 * (across / neck) ** 2 - (0.05 if person.collar == "hood" else 0)
  cloth = edge((y - np.maximum(shoulder, opening)) / np.sqrt(1 + (2.4 * reach**7) ** 2), pixel)
  shade = 0.92 + 0.14 * math.copysign(1, scene.photo.light[0]) * x - 0.10 * ramp(y, 1.3, 1.8)
  canvas.over(window, cloth, (np.asarray(person.clothes) * scene.tone).astype(np.float32)[:, None, None] * shade)
  trim = np.asarray(person.clothes_second) * scene.tone
  width = 0.05 if person.collar in ("crew", "v") else 0.10
  canvas.over(window, cloth * stroke(y - opening - 0.02, width, pixel) * edge(0.75 - across, pixel), trim)


def _strands(scene, along):
  """Brightness of hair that runs across `along`, about 1."""
  table = np.interp(np.arange(1024) / 16, np.arange(65), [*scene.person.texture, scene.person.texture[0]])
  return 1 + np.float32(0.16) * table.astype(np.float32)[(along * np.float32(1024)).astype(np.int32) % 1024]


def _grown(scene, volume):
  """The head's outline grown by hair: [ANGLES] of `volume` over the crown, nothing below the ears."""
  angle = (np.arange(ANGLES) + 0.5) * (2 * np.pi / ANGLES) - np.pi
  up = -np.sin(angle)
  low = -0.45 if scene.person.hair_style == "curly" else -0.25
  cover = np.clip((up - low) / 0.6, 0, 1)
  radius = scene.outline[0] * (1 + volume * cover * cover * (3 - 2 * cover)) + 0.015
  return angle, up, radius


def _hair_colour(scene, strands, radius=None):
  colour = np.asarray(scene.person.hair_colour, np.float32) * scene.tone.astype(np.float32)
  planes = colour[:, None, None] * strands
  if radius is not None:
    planes = planes + np.float32(0.10) * (0.3 + colour.max()) * radius * scene.tone.astype(np.float32)[:, None, None]
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
  edge_u = width + 0.05 * np.sin(3.0 * v)
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
  above = edge((line - v) * np.float32(0.8), view.pixel)
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
  scene.canvas.multiply(window, 0.55 * inside * (1 - ramp(v - line, -0.02, 0.10)), _SHADOW)
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
  coverage = both(coverage, edge(end - 0.5 * np.abs(across - 0.5 * (inner + outer)) - v, view.pixel)) * ramp(v, 0.0, 0.12)
  scene.canvas.over(window, coverage, _hair_colour(scene, 0.9 * _strands(scene, 0.5 + 0.8 * across)))


def beard(scene):
  """Stubble, goatee or full beard, under the lips."""
  person, view = scene.person, scene.view
  kind = person.facial_hair
  if kind in ("none", "moustache"):
    return
  growth = {"stubble": 0.0, "goatee": 0.05, "beard": 0.03 + 0.13 * person.facial_hair_size}[kind]
  angle, up, _ = _grown(scene, 0.0)
  del angle
  radius, factor = with_slope(scene.outline[0] * (1 + growth * np.clip(-up, 0, 1)) + 0.005)
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


def glasses(scene):
  """Two rims, a bridge and the temples, over a faint tint of the lenses."""
  person, view, canvas = scene.person, scene.view, scene.canvas
  if person.glasses == "none":
    return
  wide = person.glasses_size
  high = wide * (0.92 if person.glasses == "round" else 0.74)
  corner = high if person.glasses == "round" else 0.4 * high
  centre = max(person.eye_spacing, wide + 0.04)
  level = person.eye_height + 0.03
  window = view.window(-person.head_width - 0.05, person.head_width + 0.05, level - high - 0.05, level + high + 0.05)
  u, v = view.u[window], view.v[window]
  across = np.abs(u)
  du = np.maximum(np.abs(across - centre) - (wide - corner), 0)
  dv = np.maximum(np.abs(v - level) - (high - corner), 0)
  inside = corner - np.sqrt(du * du + dv * dv)
  rim = stroke(inside, 0.016, view.pixel)
  bridge = stroke(v - level + 0.05 - 0.8 * u * u, 0.014, view.pixel) * edge(centre - wide - across, view.pixel)
  temple = stroke(v - level + 0.07, 0.014, view.pixel) * edge(across - centre - wide, view.pixel)
  temple = temple * edge(person.head_width - np.abs(view.flat_u[window]), view.pixel)
  lens = edge(inside, view.pixel)
  canvas.multiply(window, 0.10 * lens, (0.6, 0.75, 0.8))
  glare = lens * dome(across - 0.5 * (v - level), v, (centre - 0.05, level - 0.3 * high), (0.07, 0.6 * high))
  canvas.over(window, 0.16 * glare, (1.0, 1.0, 1.0))
  frame = np.asarray(person.glasses_colour) * scene.tone
  canvas.over(window, np.maximum(np.maximum(rim, bridge), temple), frame)
