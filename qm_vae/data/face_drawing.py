"""Draws one face: head, light, eyes, brows, nose and mouth, moved by the action units of the expression."""

import dataclasses
import math

import numpy as np

from qm_vae.data import face_dressing as dressing
from qm_vae.data.drawing import Canvas, View, both, dome, edge, polar_table, ramp, stroke
from qm_vae.data.face_parameters import ActionUnits, Nuisance, Person

_CROWN = 1.0
_SHADOW = (0.62, 0.47, 0.44)  # what a fold leaves of the skin's red, green and blue


@dataclasses.dataclass(frozen=True)
class Scene:
  """What every painter needs: who, what expression, which photograph, seen how, drawn where."""

  person: Person
  action: ActionUnits
  photo: Nuisance
  view: View
  canvas: Canvas
  outline: tuple[np.ndarray, np.ndarray]  # polar table of the head
  chin: float  # v of the chin, jaw dropped
  tone: np.ndarray  # [3] brightness and colour of the light on what is not modelled in relief


def draw(person: Person, action: ActionUnits, photo: Nuisance, size: int) -> np.ndarray:
  """The picture before blur and noise.

  Args:
    person: identity factors.
    action: expression factors.
    photo: nuisance factors; `blur` and `noise` are left to the caller.
    size: side of the frame in pixels.

  Returns:
    [3, size, size] float32 in [0, 1]; the same picture at every size, up to sampling.
  """
  # A weak contraction already shows: what is seen grows faster at first than the strength of the unit.
  action = ActionUnits(**{unit: strength**0.8 for unit, strength in dataclasses.asdict(action).items()})
  chin = person.chin + 0.15 * action.au26 - 0.02 * action.au24
  view = view_of(person, photo, size)
  brightness = photo.exposure * (photo.ambient + 0.85 * (1 - photo.ambient))
  scene = Scene(
    person=person,
    action=action,
    photo=photo,
    view=view,
    canvas=Canvas(size),
    outline=polar_table(*_outline(person, chin)),
    chin=chin,
    tone=brightness * np.asarray(photo.light_colour, np.float32),
  )
  dressing.background(scene)
  dressing.back_hair(scene)
  dressing.body(scene)
  if person.hair_style not in dressing.COVERED_EARS:
    _ears(scene)
  _head(scene)
  _folds(scene)
  _nose(scene)
  dressing.beard(scene)
  _mouth(scene)
  _eyes(scene)
  _brows(scene)
  dressing.front_hair(scene)
  dressing.glasses(scene)
  return np.minimum(np.maximum(scene.canvas.pixels, 0), 1)


def view_of(person: Person, photo: Nuisance, size: int) -> View:
  """How the frame of `size` pixels sees the head of `person`."""
  return View(
    size,
    scale=photo.scale,
    shift=photo.shift,
    yaw=photo.yaw,
    pitch=photo.pitch,
    roll=photo.roll,
    half_width=person.head_width,
    half_height=1.0,
  )


def _outline(person, chin):
  angle = np.linspace(0, np.pi / 2, 40)
  cos, sin = np.cos(angle), np.sin(angle)
  side = person.head_width
  low = 2 / person.jaw_square
  s = sin**low
  below = side * cos**low * (1 - person.jaw_taper * s**1.5), chin * s
  above = side * cos**0.92, -_CROWN * sin**0.92
  x = np.concatenate([below[0], -below[0], above[0], -above[0]])
  y = np.concatenate([below[1], below[1], above[1], above[1]])
  return x, y


def _ears(scene):
  person, view, canvas = scene.person, scene.view, scene.canvas
  radius, side, v = person.ear_size, person.head_width + 0.01, person.eye_height + 0.12
  window = view.window(-side - 0.15, side + 0.15, v - 0.3, v + 0.3)
  across, down = np.abs(view.flat_u[window]), view.flat_v[window] - v
  skin = np.asarray(person.skin) * scene.tone

  def oval(width, height, offset):
    distance = 1 - np.sqrt(((across - side - offset + 0.25 * down) / width) ** 2 + (down / height) ** 2)
    return edge(distance * width, view.pixel)

  canvas.over(window, oval(0.55 * radius, 1.25 * radius, 0.0), skin * (0.90, 0.84, 0.83))
  canvas.multiply(window, 0.7 * oval(0.32 * radius, 0.9 * radius, 0.02), _SHADOW)


def _relief(scene, u, v):
  """Height of the features over the ellipsoid of the head, head units."""
  person, action = scene.person, scene.action
  across = np.abs(u)
  eyes, nose, mouth = person.eye_height, person.nose_length, person.mouth_height
  wrinkle = action.au9
  ridge = dome(u, 0, (0, 0), (0.10 + 0.5 * person.nose_width, 1)) * ramp(v, eyes - 0.22, nose + 0.02)
  height = person.nose_ridge * 1.15 * ridge * (1 - ramp(v, nose + 0.02, nose + 0.12))
  height += 0.07 * dome(u, v, (0, nose), (person.nose_width * 1.15, 0.13))
  height += 0.045 * dome(across, v, (person.nose_width * 0.95, nose + 0.03 - 0.03 * wrinkle), (0.085, 0.08))
  height -= 0.075 * dome(across, v, (person.eye_spacing - 0.02, eyes - 0.02), (0.27, 0.20))
  height += 0.035 * dome(across, v, (person.eye_spacing * 0.8, eyes - 0.22), (0.40, 0.16))
  raised = max(action.au6, 0.6 * action.au12, 0.5 * wrinkle)
  cheek = (person.eye_spacing + 0.08, eyes + 0.33 - 0.06 * raised)
  height += (person.cheek + 0.06 * raised) * dome(across, v, cheek, (0.27, 0.24))
  height += 0.05 * dome(u, v, (0, mouth), (0.40, 0.20))
  height -= 0.03 * dome(u, v, (0, mouth + 0.15 + 0.5 * (scene.chin - person.chin)), (0.24, 0.08))
  height += (0.05 + 0.03 * action.au17) * dome(u, v, (0, scene.chin - 0.15), (0.27, 0.17))
  return height


def _head(scene):
  """The skin of the head under the light: Lambert's law and a soft gloss on ellipsoid plus relief."""
  person, photo, view = scene.person, scene.photo, scene.view
  side = person.head_width + 0.02
  window = view.window(-side, side, -_CROWN - 0.02, scene.chin + 0.02)
  index, radius = view.polar
  index = index[window]
  coverage = edge((scene.outline[0][index] - radius[window]) * scene.outline[1][index], view.pixel)
  u, v = view.u[window], view.v[window]
  height = _relief(scene, u, v)
  slope = np.zeros((2, *height.shape), np.float32)
  half = np.float32(0.5 / view.pixel)
  slope[0, :, 1:-1] = (height[:, 2:] - height[:, :-2]) * half
  slope[1, 1:-1] = (height[2:] - height[:-2]) * half
  x = np.float32(0.95 / person.head_width) * (view.x[window]) - slope[0]
  y = np.float32(0.75) * view.y[window] - slope[1]
  inverse = 1 / np.sqrt(1 + x * x + y * y)
  light = np.asarray(photo.light, np.float32)
  lambert = np.maximum((light[0] * x + light[1] * y + light[2]) * inverse, 0)
  toward = light + np.array((0, 0, 1), np.float32)
  toward /= np.linalg.norm(toward)
  gloss = np.maximum((toward[0] * x + toward[1] * y + toward[2]) * inverse, 0)
  for _ in range(4):
    gloss = gloss * gloss
  shade = photo.ambient + (1 - photo.ambient) * 1.1 * lambert
  skin = np.asarray(person.skin, np.float32)
  colour = np.empty((3, *shade.shape), np.float32)
  for plane, bounce in enumerate((0.14, 0.05, 0.03)):  # light scattered in skin leaves shadows red
    tint = photo.exposure * photo.light_colour[plane]
    colour[plane] = tint * (skin[plane] * (bounce + (1 - bounce) * shade) + 0.10 * gloss)
  blush = (0.03 + 0.17 * person.blush + 0.08 * scene.action.au6) * dome(
    np.abs(u), v, (person.eye_spacing + 0.1, person.eye_height + 0.34), (0.24, 0.2)
  )
  colour[1:] *= 1 - blush
  hollow = dome(np.abs(u), v, (person.eye_spacing - 0.03, person.eye_height - 0.02), (0.31, 0.20))
  colour *= 1 - np.asarray((0.36, 0.43, 0.43), np.float32)[:, None, None] * hollow
  scene.canvas.over(window, coverage, colour)
  for u0, v0, size in (*person.freckles, *person.moles):
    spot = view.window(u0 - size, u0 + size, v0 - size, v0 + size)
    distance = size - np.hypot(view.u[spot] - np.float32(u0), view.v[spot] - np.float32(v0))
    scene.canvas.multiply(spot, (0.35 if size < 0.0181 else 0.8) * edge(distance, max(view.pixel, 0.012)), (0.5, 0.35, 0.3))


def _folds(scene):
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
  chin = (v - scene.chin + 0.24 + 1.5 * u * u)
  dark += (0.15 + 0.4 * action.au17) * stroke(chin, 0.014, blur) * (1 - ramp(across, 0.07, 0.17))
  scene.canvas.multiply(window, np.minimum(dark, 1), _SHADOW)


def _nose(scene):
  person, action, view = scene.person, scene.action, scene.view
  tip, wide = person.nose_length - 0.02 * action.au9, person.nose_width * (1 + 0.12 * action.au9)
  window = view.window(-0.35, 0.35, tip - 0.15, tip + 0.25)
  u, v = view.u[window], view.v[window]
  across = np.abs(u)
  wing_v = tip + 0.025 - 0.035 * action.au9
  soft = max(view.pixel, 0.03)
  wing = np.hypot(across - wide + 0.015, v - wing_v) - np.float32(0.062)
  ala = 0.75 * stroke(wing, 0.011, soft) * ramp(across, wide - 0.01, wide + 0.03)
  under = dome(u, v, (0, tip + 0.095), (wide + 0.05, 0.055))
  scene.canvas.multiply(window, np.maximum(ala, 0.65 * under), _SHADOW)
  nostril = dome(across, v, (0.55 * wide, tip + 0.066 - 0.025 * action.au9), (0.055 + 0.1 * (wide - 0.12), 0.032))
  scene.canvas.multiply(window, np.minimum(1.6 * nostril, 0.9), (0.30, 0.18, 0.17))


def _mouth(scene):
  person, action, view, canvas = scene.person, scene.action, scene.view, scene.canvas
  side = math.copysign(1, scene.photo.light[0])
  open_jaw = action.au26 * (1 - 0.4 * action.au20)
  half = person.mouth_width
  half *= 1 + 0.27 * action.au12 + 0.28 * action.au20 - 0.30 * open_jaw - 0.12 * action.au24 - 0.05 * action.au10
  corner = 0.155 * action.au12 - 0.165 * action.au15 - 0.05 * action.au20 - 0.05 * action.au10
  middle = person.mouth_height - 0.03 * action.au17 + 0.05 * action.au12 - 0.07 * action.au10 - 0.02 * action.au9
  gap = 0.33 * open_jaw + action.au25 * (0.065 + 0.055 * action.au12)
  lift = 0.30 * gap + 0.02 * action.au10 * action.au25
  thin = 1 - 0.62 * action.au24 - 0.25 * action.au12 - 0.2 * action.au20
  upper, lower = person.lip_upper * thin * (1 - 0.25 * action.au10), person.lip_lower * thin * (1 + 0.2 * action.au17)
  window = view.window(-half - 0.03, half + 0.03, middle - lift - upper - 0.2, middle + gap + lower + 0.25)
  u, v = view.u[window], view.v[window]
  t = u * np.float32(1 / half)
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
  pixel = view.pixel
  lip = np.asarray(person.lip_colour) * scene.tone
  up = both(edge(v - outer_up, pixel), edge(inner_up - v, pixel))
  low = both(edge(v - inner_low, pixel), edge(outer_low - v, pixel))
  shadow = dome(u, v, (0, middle + gap - lift + lower + 0.045), (0.8 * half, 0.07))
  canvas.multiply(window, 0.55 * shadow, _SHADOW)
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
  seam = np.where(gap > 0.012, inner_up, line)
  dark = np.asarray(person.lip_colour) * scene.tone * (0.42, 0.32, 0.34)
  width = 0.010 + 0.008 * action.au24
  canvas.over(window, 0.85 * stroke(v - seam, width, pixel) * edge((1.02 - np.abs(t)) * half, pixel), dark)
  # The pits at the corners of the mouth carry much of its expression.
  pit = dome(np.abs(u), v, (half, middle + 0.4 * corner - corner * (1 + 0.4 * action.au12)), (0.06, 0.05))
  canvas.multiply(window, (0.5 + 0.4 * max(action.au12, action.au15, action.au24)) * pit, _SHADOW)
  dressing.moustache(scene, window, outer_up, t)


def _eyes(scene):
  """Both eyes at once: the coordinates are folded at the midline."""
  person, action, view, canvas = scene.person, scene.action, scene.view, scene.canvas
  width, spacing, level, pixel = person.eye_width, person.eye_spacing, person.eye_height, scene.view.pixel
  window = view.window(-spacing - width - 0.04, spacing + width + 0.04, level - 0.24, level + 0.2)
  u, v = view.u[window], view.v[window]
  right = np.sign(u)
  outward = np.abs(u) - np.float32(spacing)
  e = outward * np.float32(1 / width)
  square = np.minimum(e * e, 1.3)
  curve = (1 - square) * (1 + 0.3 * square)
  high = width * person.eye_open * 1.15
  low = width * person.eye_open * 0.6
  rest = 0.5 * (low - high)
  high *= max(1 + 0.55 * action.au5 - 0.25 * action.au6 - 0.36 * action.au7 - 0.62 * action.au43 - 0.22 * action.au9, 0.12)
  low *= max(1 + 0.20 * action.au5 - 0.85 * action.au6 - 0.55 * action.au7 - 0.45 * action.au9, 0.02)
  base = np.float32(level) - np.float32(person.eye_tilt) * outward
  inward = 0.55 * action.au4 * action.au7 - 0.50 * action.au43 * action.au1 - 0.20 * action.au1 * action.au4
  upper = base - high * curve * (1 + inward * e)
  lower = base + low * curve
  opening = both(edge(v - upper, pixel), edge(lower - v, pixel))
  lid_shadow = 1 - 0.38 * (1 - ramp(v - upper, 0.0, 0.07))
  white = np.array((0.90, 0.88, 0.86)) * (0.5 + 0.47 * max(person.skin)) * scene.tone
  canvas.over(window, opening, white.astype(np.float32)[:, None, None] * lid_shadow)
  iris = 0.47 * width
  gaze_u, gaze_v = (width * g for g in scene.photo.gaze)
  centre_v = level + rest + 0.1 * iris + gaze_v
  du, dv = outward - right * gaze_u, v - np.float32(centre_v)
  far = np.sqrt(du * du + dv * dv)
  colour = np.asarray(person.iris) * scene.tone
  canvas.over(window, opening * edge(iris - far, pixel), colour * 0.55)
  canvas.over(window, opening * edge(0.84 * iris - far, pixel), colour.astype(np.float32)[:, None, None] * (0.75 + 0.35 * ramp(dv, -iris, iris)))
  canvas.over(window, opening * edge(0.45 * iris - far, pixel), (0.03, 0.03, 0.04))
  side = math.copysign(1, scene.photo.light[0])
  spark_u = du - right * side * 0.38 * iris
  spark = np.hypot(spark_u, dv + np.float32(0.38 * iris))
  canvas.over(window, 0.9 * opening * edge(0.25 * iris - spark, pixel), np.minimum(scene.tone * 1.05, 1))
  ends = edge((1.04 - np.abs(e)) * width, pixel)
  lash = np.asarray(person.hair_colour) * 0.25 + 0.02
  thick = person.lashes * (0.75 + 0.35 * np.maximum(e, -1))
  canvas.over(window, 0.95 * stroke(v - upper + 0.004, thick, pixel) * ends, lash)
  canvas.multiply(window, 0.5 * stroke(v - lower, 0.007, pixel) * ends, _SHADOW)
  fold = 0.05 + 0.035 * action.au5 - 0.02 * max(action.au7, action.au9) + 0.035 * action.au43
  crease = stroke(v - upper + fold + 0.02 * curve, 0.009, max(pixel, 0.018)) * edge((0.98 - np.abs(e)) * width, pixel)
  canvas.multiply(window, 0.75 * crease, _SHADOW)
  smile = dome(outward, v, (width + 0.06, level + 0.04), (0.09, 0.07)) * (0.5 + 0.5 * np.cos(90 * (v - level)))
  canvas.multiply(window, 0.5 * action.au6 * smile, _SHADOW)


def _brows(scene):
  person, action, view = scene.person, scene.action, scene.view
  half = person.brow_length
  centre = person.eye_spacing + 0.015 - 0.045 * action.au4
  level = person.eye_height - person.brow_height
  window = view.window(-centre - half - 0.03, centre + half + 0.03, level - 0.3, level + 0.25)
  v = view.v[window]
  t = (np.abs(view.u[window]) - np.float32(centre)) * np.float32(1 / half)
  bounded = np.minimum(np.maximum(t, -1.1), 1.1)
  inner, outer = 0.5 * (1 - bounded), 0.5 * (1 + bounded)
  arch = person.brow_arch + 0.03 * action.au2 * (1 - action.au4) + 0.01
  line = level - person.brow_slope * half * bounded - arch * (1 - bounded * bounded) * (1 + 0.5 * bounded)
  line += (0.18 * action.au4 * (1 - 0.8 * action.au1) + 0.05 * action.au9 - 0.185 * action.au1) * inner * np.sqrt(np.maximum(inner, 0))
  line += (0.04 * action.au4 - 0.155 * action.au2 + 0.04 * action.au1 * (1 - action.au2)) * outer
  line += 0.035 * action.au9
  thick = person.brow_thickness * (1 - 0.62 * outer * outer) * (1 - 0.25 * inner**4)
  soft = max(view.pixel, 0.02)
  coverage = both(edge(v - line + thick, soft), edge(line + 0.7 * thick - v, soft)) * edge((1 - np.abs(t)) * half, soft)
  # Brows stay darker than the skin, however light the hair.
  colour = np.asarray(person.hair_colour) * min(0.6, 0.36 * max(person.skin) / max(person.hair_colour)) * scene.tone
  scene.canvas.over(window, 0.9 * coverage, colour)


def landmarks(person: Person, photo: Nuisance, size: int) -> dict:
  """Where the face is in its frame, in pixels: `box` (x, y, width, height) from hairline to chin, and `eyes` (see types.Face)."""
  view = view_of(person, photo, size)
  eyes = [view.to_frame(side * person.eye_spacing, person.eye_height) for side in (-1, 1)]
  middle = view.to_frame(0.0, 0.5 * (person.chin - 0.62))
  half = 0.5 * (person.chin + 0.62) * photo.scale * size
  side = person.head_width * math.cos(photo.roll) * photo.scale * size
  return {
    "box": (middle[0] - side, middle[1] - half, 2 * side, 2 * half),
    "eyes": np.asarray([*eyes[0], *eyes[1]], np.float32),
  }
