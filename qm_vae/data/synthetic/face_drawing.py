"""Draws one face: the order of its layers, and the head under its light."""

import dataclasses
import math

import numpy as np

from qm_vae.data.synthetic import face_features, face_hair, face_surroundings
from qm_vae.data.synthetic.drawing import SHADOW, Canvas, View, dome, edge, polar_table, ramp
from qm_vae.data.synthetic.face_parameters import ActionUnits, Nuisance, Person

_CROWN = 1.0


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
  action = shown(action)
  chin = chin_of(person, action)
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
  face_surroundings.background(scene)
  face_hair.back_hair(scene)
  face_surroundings.body(scene)
  if person.hair_style not in face_hair.COVERED_EARS:
    _ears(scene)
  _head(scene)
  face_features.folds(scene)
  face_features.nose(scene)
  face_hair.beard(scene)
  face_features.mouth(scene)
  face_features.eyes(scene)
  face_features.brows(scene)
  face_hair.front_hair(scene)
  face_surroundings.glasses(scene)
  return np.minimum(np.maximum(scene.canvas.pixels, 0), 1)


def shown(action: ActionUnits) -> ActionUnits:
  """A weak contraction already shows: what is seen grows faster at first than the strength of the unit."""
  return ActionUnits(**{unit: strength**0.7 for unit, strength in dataclasses.asdict(action).items()})


def chin_of(person: Person, action: ActionUnits) -> float:
  """v of the chin under the units as `shown` gives them."""
  return person.chin + 0.15 * action.au26 - 0.02 * action.au24


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


def lower_outline(person: Person, chin: float, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """x and y of the head's edge at the image's right, head units, for angles from 0 (the ear) to pi / 2 (the chin)."""
  low = 2 / person.jaw_square
  s = np.sin(angle) ** low
  return person.head_width * np.cos(angle) ** low * (1 - person.jaw_taper * s**1.5), chin * s


def _outline(person, chin):
  angle = np.linspace(0, np.pi / 2, 40)
  cos, sin = np.cos(angle), np.sin(angle)
  side = person.head_width
  below = lower_outline(person, chin, angle)
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
  canvas.multiply(window, 0.7 * oval(0.32 * radius, 0.9 * radius, 0.02), SHADOW)


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
  hollow = dome(np.abs(u), v, (person.eye_spacing - 0.03, person.eye_height - 0.035), (0.32, 0.215))
  colour *= 1 - np.asarray((0.36, 0.43, 0.43), np.float32)[:, None, None] * hollow
  scene.canvas.over(window, coverage, colour)
  for u0, v0, size in (*person.freckles, *person.moles):
    spot = view.window(u0 - size, u0 + size, v0 - size, v0 + size)
    distance = size - np.hypot(view.u[spot] - np.float32(u0), view.v[spot] - np.float32(v0))
    scene.canvas.multiply(
      spot, (0.35 if size < 0.0181 else 0.8) * edge(distance, max(view.pixel, 0.012)), (0.5, 0.35, 0.3)
    )


def landmarks(person: Person, photo: Nuisance, size: int) -> dict:
  """Where the face is in its frame, in pixels.

  Args:
    person: identity factors.
    photo: nuisance factors.
    size: side of the frame.

  Returns:
    dict of `box`, the tuple (x, y, width, height) from hairline to chin of a face at rest, and `eyes`, float32 [4] as
    in `types.Face`.
  """
  view = view_of(person, photo, size)
  eyes = [view.to_frame(side * person.eye_spacing, person.eye_height) for side in (-1, 1)]
  middle = view.to_frame(0.0, 0.5 * (person.chin - 0.62))
  half = 0.5 * (person.chin + 0.62) * photo.scale * size
  side = person.head_width * math.cos(photo.roll) * photo.scale * size
  return {
    "box": (middle[0] - side, middle[1] - half, 2 * side, 2 * half),
    "eyes": np.asarray([*eyes[0], *eyes[1]], np.float32),
  }
