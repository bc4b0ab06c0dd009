"""The features of a drawn face: folds, nose, mouth, eyes and brows, moved by the action units.

Every painter takes the `Scene` of `qm_vae.data.synthetic.face_drawing`.
"""

import math

import numpy as np

from qm_vae.data.synthetic.drawing import SHADOW, both, dome, edge, ramp, stroke
from qm_vae.data.synthetic.face_hair import moustache


def folds(scene):
  """Wrinkles and folds that the action units cut: forehead, glabella, bridge of the nose, beside nose and mouth."""
  person, action, view = scene.person, scene.action, scene.view
  blur = max(view.pixel, 0.03)
  window = view.window(-0.62, 0.62, -0.5, scene.chin)
  u, v = view.u[window], view.v[window]
  across = np.abs(u)
  eyes, nose = person.eye_height, person.nose_length
  dark = np.zeros_like(u)
  raised = max(action.au1, action.au2) - 0.15
  if raised > 0:
    for level in (0.14, 0.23):
      line = v - (eyes - person.brow_height - level - 0.08 * raised + 0.12 * u * u)
      dark += 0.55 * raised * (0.35 + 0.65 * person.age) * stroke(line, 0.010, blur) * (1 - ramp(across, 0.22, 0.42))
  if action.au4 > 0.15:
    line = across - 0.062 - 0.15 * (v - eyes)
    span = ramp(v, eyes - 0.30, eyes - 0.22) * (1 - ramp(v, eyes - 0.13, eyes - 0.06))
    dark += 0.9 * action.au4 * stroke(line, 0.014, blur) * span
  if action.au9 > 0.15:
    for level in (-0.10, -0.03, 0.04):
      line = v - (eyes + level + 0.6 * across)
      dark += 0.9 * action.au9 * stroke(line, 0.013, blur) * (1 - ramp(across, 0.08, 0.15))
  depth = 0.16 + 0.3 * person.age + max(0.55 * action.au12, 0.65 * action.au10, 0.8 * action.au9, 0.25 * action.au15)
  start, end = nose - 0.01 - 0.05 * action.au9, person.mouth_height + 0.06
  along = (v - start) * np.float32(1 / (end - start))
  width = person.mouth_width * (1 + 0.25 * action.au12) + 0.09
  inner = person.nose_width + 0.055
  line = across - (inner + (width - inner) * along + 0.06 * (action.au12 + action.au10) * along * (1 - along))
  dark += depth * stroke(line, 0.014, blur) * ramp(along, -0.05, 0.2) * (1 - ramp(along, 0.6, 1.1))
  bag = v - (eyes + 0.15 - 0.03 * action.au6 - 0.5 * (across - person.eye_spacing) ** 2)
  tired = 0.10 + 0.25 * person.age + 0.5 * max(action.au6, action.au7, action.au9)
  dark += tired * stroke(bag, 0.012, blur) * (1 - ramp(np.abs(across - person.eye_spacing + 0.02), 0.08, 0.17))
  chin = v - scene.chin + 0.24 + 1.5 * u * u
  dark += (0.15 + 0.4 * action.au17) * stroke(chin, 0.014, blur) * (1 - ramp(across, 0.07, 0.17))
  scene.canvas.multiply(window, np.minimum(dark, 1), SHADOW)


def nose_tip(person, action):
  """v of the nose's tip and half-width of its wings."""
  return person.nose_length - 0.02 * action.au9, person.nose_width * (1 + 0.12 * action.au9)


def nose(scene):
  """Wings, nostrils and the shadow under the tip; AU9 lifts and widens them. The ridge is part of the head's relief."""
  person, action, view = scene.person, scene.action, scene.view
  tip, wide = nose_tip(person, action)
  window = view.window(-0.35, 0.35, tip - 0.15, tip + 0.25)
  u, v = view.u[window], view.v[window]
  across = np.abs(u)
  wing_v = tip + 0.025 - 0.035 * action.au9
  soft = max(view.pixel, 0.03)
  wing = np.hypot(across - wide + 0.015, v - wing_v) - np.float32(0.062)
  ala = 0.75 * stroke(wing, 0.011, soft) * ramp(across, wide - 0.01, wide + 0.03)
  under = dome(u, v, (0, tip + 0.095), (wide + 0.05, 0.055))
  scene.canvas.multiply(window, np.maximum(ala, 0.65 * under), SHADOW)
  nostril = dome(across, v, (0.55 * wide, tip + 0.066 - 0.025 * action.au9), (0.055 + 0.1 * (wide - 0.12), 0.032))
  scene.canvas.multiply(window, np.minimum(1.6 * nostril, 0.9), (0.30, 0.18, 0.17))


class Lips:
  """The curves that bound the lips, v of the head for every u; lengths in head units."""

  def __init__(self, person, action):
    open_jaw = action.au26 * (1 - 0.4 * action.au20)
    half = person.mouth_width
    half *= 1 + 0.27 * action.au12 + 0.28 * action.au20 - 0.30 * open_jaw - 0.12 * action.au24 - 0.05 * action.au10
    corner = 0.155 * action.au12 - 0.165 * action.au15 - 0.05 * action.au20 - 0.05 * action.au10
    middle = person.mouth_height - 0.03 * action.au17 + 0.05 * action.au12 - 0.07 * action.au10 - 0.02 * action.au9
    gap = 0.31 * open_jaw + action.au25 * (0.065 + 0.055 * action.au12)
    lift = 0.30 * gap + 0.02 * action.au10 * action.au25
    thin = 1 - 0.62 * action.au24 - 0.25 * action.au12 - 0.2 * action.au20
    upper, lower = person.lip_upper * thin * (1 - 0.25 * action.au10), person.lip_lower * thin * (1 + 0.2 * action.au17)
    self.half, self.corner, self.middle, self.gap, self.lift = half, corner, middle, gap, lift
    self.upper, self.lower, self.open_jaw, self._action = upper, lower, open_jaw, action

  def curves(self, t):
    """(t squared, seam, inner upper, inner lower, outer upper, outer lower) for t = u / half, -1 and 1 the corners."""
    action, corner, middle, gap, lift = self._action, self.corner, self.middle, self.gap, self.lift
    upper, lower, open_jaw = self.upper, self.lower, self.open_jaw
    square = np.minimum(t * t, 1.2)
    curve = 1 - square
    rounder = curve * (1 + (0.55 + 0.3 * open_jaw) * square)
    line = middle + 0.4 * corner - corner * (1 + 0.4 * min(action.au12, 1)) * square
    # An upper lip pulled by its levator (AU10) stands square, as an arch over the teeth.
    squared = curve * (1 + 1.1 * square) if action.au10 > 0.2 else rounder
    inner_up = line - lift * squared
    inner_low = line + (gap - lift) * rounder
    bow = 1 - 0.22 * dome(t, 0, (0, 0), (0.30, 1))
    outer_up = inner_up - upper * rounder * bow
    outer_low = inner_low + lower * curve * (1 + 0.25 * square)
    return square, line, inner_up, inner_low, outer_up, outer_low


def mouth(scene):
  """Lips, teeth and tongue between four curves over the mouth's width (AU10, 12, 15, 17, 20, 24, 25, 26)."""
  person, action, view, canvas = scene.person, scene.action, scene.view, scene.canvas
  side = math.copysign(1, scene.photo.light[0])
  lips = Lips(person, action)
  half, corner, middle, gap, lift = lips.half, lips.corner, lips.middle, lips.gap, lips.lift
  upper, lower, open_jaw = lips.upper, lips.lower, lips.open_jaw
  window = view.window(-half - 0.03, half + 0.03, middle - lift - upper - 0.2, middle + gap + lower + 0.25)
  u, v = view.u[window], view.v[window]
  t = u * np.float32(1 / half)
  _, line, inner_up, inner_low, outer_up, outer_low = lips.curves(t)
  pixel = view.pixel
  lip = np.asarray(person.lip_colour) * scene.tone
  up = both(edge(v - outer_up, pixel), edge(inner_up - v, pixel))
  low = both(edge(v - inner_low, pixel), edge(outer_low - v, pixel))
  shadow = dome(u, v, (0, middle + gap - lift + lower + 0.045), (0.8 * half, 0.07))
  canvas.multiply(window, 0.55 * shadow, SHADOW)
  canvas.over(window, up, 0.86 * lip)
  canvas.over(window, low, lip)
  shine = dome(u, v, (0.1 * half * side, middle + gap - lift + 0.5 * lower), (0.5 * half, 0.6 * lower))
  canvas.over(window, 0.22 * shine * low, np.minimum(lip * 1.2 + 0.15, 1))
  if gap > 0.012:
    inside = both(edge(v - inner_up, pixel), edge(inner_low - v, pixel))
    canvas.over(window, inside, np.array((0.24, 0.07, 0.08)) * scene.tone)
    if open_jaw > 0.25:
      tongue = dome(u, v, (0, middle + gap - lift), (0.75 * half, 0.55 * gap))
      canvas.over(window, inside * np.minimum(1.5 * tongue, 1), np.array((0.70, 0.32, 0.33)) * scene.tone)
    teeth = 0.10 - 0.055 * open_jaw if action.au12 > 0.2 else 0.075 - 0.03 * open_jaw
    edge_of_teeth = inner_up + np.minimum(teeth, 0.85 * (inner_low - inner_up))
    row = inside * edge(edge_of_teeth - v, pixel) * edge((0.86 - np.abs(t)) * half, pixel)
    canvas.over(window, row, np.array((0.90, 0.87, 0.82)) * (0.55 + 0.42 * max(person.skin)) * scene.tone)
  seam = inner_up if gap > 0.012 else line
  dark = np.asarray(person.lip_colour) * scene.tone * (0.42, 0.32, 0.34)
  width = 0.010 + 0.008 * action.au24
  canvas.over(window, 0.85 * stroke(v - seam, width, pixel) * edge((1.02 - np.abs(t)) * half, pixel), dark)
  # The pits at the corners of the mouth carry much of its expression.
  pit = dome(np.abs(u), v, (half, middle + 0.4 * corner - corner * (1 + 0.4 * action.au12)), (0.06, 0.05))
  canvas.multiply(window, (0.5 + 0.4 * max(action.au12, action.au15, action.au24)) * pit, SHADOW)
  moustache(scene, window, outer_up, t)


def lids(person, action, outward):
  """The lids' edges over `outward`, u from the eye's centre to the temple.

  Returns:
    `outward` in halves of the eye's width, -1 and 1 the corners; how far the lids part there, 1 in the
    middle; v of the upper and of the lower lid; v by which the
    middle of the open eye at rest is off the eye's height.
  """
  width, level = person.eye_width, person.eye_height
  e = outward * np.float32(1 / width)
  square = np.minimum(e * e, 1.3)
  curve = (1 - square) * (1 + 0.3 * square)
  high = width * person.eye_open * 1.15
  low = width * person.eye_open * 0.6
  rest = 0.5 * (low - high)
  high *= max(
    1 + 0.55 * action.au5 - 0.25 * action.au6 - 0.36 * action.au7 - 0.62 * action.au43 - 0.22 * action.au9, 0.12
  )
  low *= max(1 + 0.20 * action.au5 - 0.85 * action.au6 - 0.55 * action.au7 - 0.45 * action.au9, 0.02)
  base = np.float32(level) - np.float32(person.eye_tilt) * outward
  inward = 0.55 * action.au4 * action.au7 - 0.50 * action.au43 * action.au1 - 0.20 * action.au1 * action.au4
  upper = base - high * curve * (1 + inward * e)
  lower = base + low * curve
  return e, curve, upper, lower, rest


def eyes(scene):
  """Both eyes at once, the coordinates folded at the midline; the lids follow AU5, 6, 7, 9 and 43."""
  person, action, view, canvas = scene.person, scene.action, scene.view, scene.canvas
  width, spacing, level, pixel = person.eye_width, person.eye_spacing, person.eye_height, scene.view.pixel
  window = view.window(-spacing - width - 0.04, spacing + width + 0.04, level - 0.24, level + 0.2)
  u, v = view.u[window], view.v[window]
  right = np.sign(u)
  outward = np.abs(u) - np.float32(spacing)
  e, curve, upper, lower, rest = lids(person, action, outward)
  opening = both(edge(v - upper, pixel), edge(lower - v, pixel))
  lid_shadow = 1 - 0.38 * (1 - ramp(v - upper, 0.0, 0.07))
  white = np.array((0.90, 0.88, 0.86)) * (0.42 + 0.55 * max(person.skin)) * scene.tone
  canvas.over(window, opening, white.astype(np.float32)[:, None, None] * lid_shadow)
  iris = 0.47 * width
  gaze_u, gaze_v = (width * g for g in scene.photo.gaze)
  centre_v = level + rest + 0.1 * iris + gaze_v
  du, dv = outward - right * gaze_u, v - np.float32(centre_v)
  far = np.sqrt(du * du + dv * dv)
  colour = np.asarray(person.iris) * scene.tone
  canvas.over(window, opening * edge(iris - far, pixel), colour * 0.55)
  canvas.over(
    window,
    opening * edge(0.84 * iris - far, pixel),
    colour.astype(np.float32)[:, None, None] * (0.75 + 0.35 * ramp(dv, -iris, iris)),
  )
  canvas.over(window, opening * edge(0.45 * iris - far, pixel), (0.03, 0.03, 0.04))
  side = math.copysign(1, scene.photo.light[0])
  spark_u = du - right * side * 0.38 * iris
  spark = np.hypot(spark_u, dv + np.float32(0.38 * iris))
  canvas.over(window, 0.9 * opening * edge(0.25 * iris - spark, pixel), np.minimum(scene.tone * 1.05, 1))
  ends = edge((1.04 - np.abs(e)) * width, pixel)
  lash = np.asarray(person.hair_colour) * 0.25 + 0.02
  thick = person.lashes * (0.75 + 0.35 * np.maximum(e, -1))
  canvas.over(window, 0.95 * stroke(v - upper + 0.004, thick, pixel) * ends, lash)
  canvas.multiply(window, 0.5 * stroke(v - lower, 0.007, pixel) * ends, SHADOW)
  fold = 0.05 + 0.035 * action.au5 - 0.02 * max(action.au7, action.au9) + 0.035 * action.au43
  crease = stroke(v - upper + fold + 0.02 * curve, 0.009, max(pixel, 0.018)) * edge((0.98 - np.abs(e)) * width, pixel)
  canvas.multiply(window, 0.75 * crease, SHADOW)
  smile = dome(outward, v, (width + 0.06, level + 0.04), (0.09, 0.07)) * (0.5 + 0.5 * np.cos(90 * (v - level)))
  canvas.multiply(window, 0.5 * action.au6 * smile, SHADOW)


def brow_centre(person, action):
  """u of a brow's middle."""
  return person.eye_spacing + 0.015 - 0.045 * action.au4


def brow_line(person, action, t):
  """(inner, outer) weights of a brow's ends and v of its line, for t from -1 at the inner end to 1 at the outer one."""
  half, level = person.brow_length, person.eye_height - person.brow_height
  bounded = np.minimum(np.maximum(t, -1.1), 1.1)
  inner, outer = 0.5 * (1 - bounded), 0.5 * (1 + bounded)
  arch = person.brow_arch + 0.03 * action.au2 * (1 - action.au4) + 0.01
  line = level - person.brow_slope * half * bounded - arch * (1 - bounded * bounded) * (1 + 0.5 * bounded)
  line += (
    (0.18 * action.au4 * (1 - 0.8 * action.au1) + 0.05 * action.au9 - 0.175 * action.au1)
    * inner
    * np.sqrt(np.maximum(inner, 0))
  )
  line += (0.04 * action.au4 - 0.145 * action.au2 + 0.04 * action.au1 * (1 - action.au2)) * outer
  line += 0.035 * action.au9
  return inner, outer, line


def brows(scene):
  """Both brows: AU1 lifts the inner end, AU2 the outer, AU4 lowers both and draws them together."""
  person, action, view = scene.person, scene.action, scene.view
  half = person.brow_length
  centre = brow_centre(person, action)
  level = person.eye_height - person.brow_height
  window = view.window(-centre - half - 0.03, centre + half + 0.03, level - 0.3, level + 0.25)
  v = view.v[window]
  t = (np.abs(view.u[window]) - np.float32(centre)) * np.float32(1 / half)
  inner, outer, line = brow_line(person, action, t)
  thick = person.brow_thickness * (1 - 0.62 * outer * outer) * (1 - 0.25 * inner**4)
  soft = max(view.pixel, 0.02)
  coverage = both(edge(v - line + thick, soft), edge(line + 0.7 * thick - v, soft)) * edge((1 - np.abs(t)) * half, soft)
  # Brows stay darker than the skin, however light the hair.
  colour = np.asarray(person.hair_colour) * min(0.6, 0.36 * max(person.skin) / max(person.hair_colour)) * scene.tone
  scene.canvas.over(window, 0.9 * coverage, colour)
