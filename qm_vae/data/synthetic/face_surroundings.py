"""What surrounds a drawn face: background, body and glasses.

Every painter takes the `Scene` of `qm_vae.data.synthetic.face_drawing`.
"""

import math

import cv2
import numpy as np

from qm_vae.data.synthetic.drawing import SHADOW, dome, edge, ramp, stroke


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
  canvas.over(
    window,
    edge(width - across, pixel),
    (skin * (0.88, 0.82, 0.80)).astype(np.float32)[:, None, None] * np.maximum(round_neck, 0.5),
  )
  canvas.multiply(window, 0.85 * dome(x, y, (0, scene.chin - 0.05), (0.75, 0.42)) * edge(width - across, pixel), SHADOW)
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
