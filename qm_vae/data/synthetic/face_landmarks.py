"""The 68 landmarks of a drawn face, from the curves by which it is drawn."""

import numpy as np

from qm_vae.data.synthetic import face_drawing, face_features
from qm_vae.data.synthetic.face_parameters import ActionUnits, Nuisance, Person


def landmarks(person: Person, action: ActionUnits, photo: Nuisance, size: int) -> np.ndarray:
  """Where the parts of a face are in its frame.

  The jaw runs along the head's outline, the nose's base below its tip; eyes, brows and lips follow the action units.

  Args:
    person: identity factors.
    action: expression factors.
    photo: nuisance factors.
    size: side of the frame, pixels.

  Returns:
    float32 [68, 2], x and y in pixels from the frame's corner, in the order of iBUG 300-W (Sagonas et al. 2013).
  """
  action = face_drawing.shown(action)
  view = face_drawing.view_of(person, photo, size)
  on_surface = np.concatenate([part(person, action) for part in (_brows, _nose, _eyes, _mouth)])
  jaw = _jaw(person, face_drawing.chin_of(person, action))
  placed = [view.outline_to_frame(u, v) for u, v in jaw] + [view.to_frame(u, v) for u, v in on_surface]
  return np.asarray(placed, np.float32)


def _jaw(person, chin):
  x, y = face_drawing.lower_outline(person, chin, np.linspace(0, np.pi / 2, 9))
  return np.concatenate([np.stack([-x, y], -1), np.stack([x, y], -1)[-2::-1]])


def _mirrored(points):
  """Points of the side at the image's right, [N, 2], and of the other one, in the same order."""
  return points * np.array([-1, 1]), points


def _brows(person, action):
  t = np.linspace(-1, 1, 5)
  _, _, line = face_features.brow_line(person, action, t)
  centre = face_features.brow_centre(person, action)
  left, right = _mirrored(np.stack([centre + person.brow_length * t, line], -1))
  return np.concatenate([left[::-1], right])


def _nose(person, action):
  tip, wide = face_features.nose_tip(person, action)
  bridge = np.stack([np.zeros(4), np.linspace(person.eye_height, tip, 4)], -1)
  across = np.linspace(-1, 1, 5)
  return np.concatenate([bridge, np.stack([wide * across, tip + 0.095 - 0.025 * across**2], -1)])


def _eyes(person, action):
  e = np.array([-1, -1 / 3, 1 / 3, 1])
  _, _, upper, lower, _ = face_features.lids(person, action, e * person.eye_width)
  u = person.eye_spacing + e * person.eye_width
  corner = (upper + lower) / 2
  (left_up, up), (left_low, low), (left_end, end) = (_mirrored(np.stack([u, v], -1)) for v in (upper, lower, corner))
  left = [left_end[3], left_up[2], left_up[1], left_end[0], left_low[1], left_low[2]]
  right = [end[0], up[1], up[2], end[3], low[2], low[1]]
  return np.array(left + right)


def _mouth(person, action):
  lips = face_features.Lips(person, action)
  t = np.linspace(-1, 1, 7)
  _, seam, _, _, outer_up, outer_low = lips.curves(t)
  upper = np.stack([lips.half * t, np.where(np.abs(t) == 1, seam, outer_up)], -1)
  lower = np.stack([lips.half * t, outer_low], -1)[-2:0:-1]
  t = np.array([-0.85, -0.4, 0, 0.4, 0.85])
  _, seam, inner_up, inner_low, _, _ = lips.curves(t)
  ends = np.abs(t) > 0.8
  inner_upper = np.stack([lips.half * t, np.where(ends, (inner_up + inner_low) / 2, inner_up)], -1)
  inner_lower = np.stack([lips.half * t, inner_low], -1)[-2:0:-1]
  return np.concatenate([upper, lower, inner_upper, inner_lower])
