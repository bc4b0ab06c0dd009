"""Draws the factors of a face at random: people, expressions, photographs.

Each kind takes a generator of its own, so that changing one leaves the others as they were.
"""

import dataclasses

import numpy as np

from qm_vae.data.synthetic.face_parameters import FACIAL_HAIR, HAIR_STYLES, PROTOTYPES, ActionUnits, Nuisance, Person
from qm_vae.types import EXPRESSIONS

_SKIN = np.array(
  [(248, 212, 184), (240, 196, 162), (228, 178, 140), (206, 152, 112), (176, 122, 86), (144, 98, 70), (118, 82, 62)]
)
_HAIR = np.array(
  [
    (28, 24, 26),
    (52, 36, 28),
    (88, 58, 38),
    (124, 64, 36),
    (168, 86, 44),
    (186, 146, 86),
    (226, 200, 148),
    (150, 148, 148),
  ]
)
_IRIS = np.array([(58, 36, 22), (92, 58, 30), (110, 92, 48), (72, 104, 66), (70, 112, 150), (104, 122, 134)])


def sample_person(rng: np.random.Generator) -> Person:
  """One person. `rng` is used up to an unspecified state."""
  uniform = rng.uniform

  def around(mean, spread):
    return float(mean + spread * np.clip(rng.normal(), -2, 2))

  # One hidden trait shifts jaw, brows, lips, hair length and facial hair together, so that the pieces suit each other.
  softness = uniform()
  tone = uniform(0, len(_SKIN) - 1)
  skin = _mix(_SKIN, tone) * (1 + np.array([0.01, 0.01, 0.035]) * rng.normal(size=3))
  dark = tone / (len(_SKIN) - 1)
  weights = np.array([3.5, 3.5, 3, 2, 1.2, 2, 1.2, 1.3]) * np.array(
    [1] * 3 + [1 - 0.8 * dark] * 2 + [(1 - dark) ** 2] * 2 + [1 - 0.6 * dark]
  )
  shade = rng.choice(len(_HAIR), p=weights / weights.sum())
  hair = _HAIR[shade] * uniform(0.8, 1.2) + rng.normal(size=3) * 4
  style_weights = np.array([1.2, 1.2, 2.5, 2, 1.5, 1, 1, 1, 1.6, 0.8, 1.5])
  style_weights *= np.where(
    np.isin(HAIR_STYLES, ("bob", "long", "wavy", "bun", "fringe")), 0.15 + 2 * softness, 1.6 - softness
  )
  if softness > 0.6:
    style_weights[:2] *= 0.1
  hairy = np.array([3, 2, 1.5, 1.5, 2.5]) if softness < 0.5 else np.array([1.0, 0, 0, 0, 0])
  cheeks = [(s * uniform(0.08, 0.42), uniform(0.14, 0.42), uniform(0.010, 0.018)) for s in (-1, 1) for _ in range(9)]
  moles = [(uniform(-0.45, 0.45), uniform(0.2, 0.8), uniform(0.018, 0.03)) for _ in range(rng.integers(1, 3))]
  lip_red = np.array([0.80, 0.42, 0.42]) if softness < 0.5 else np.array([0.86, 0.36, 0.40])
  spacing = around(0.305, 0.022)
  return Person(
    head_width=around(0.735 + 0.02 * (0.5 - softness), 0.035),
    chin=around(0.99 - 0.04 * softness, 0.04),
    jaw_taper=float(np.clip(around(0.10 + 0.16 * softness, 0.06), 0, 0.36)),
    jaw_square=float(np.clip(around(2.55 - 0.45 * softness, 0.2), 1.9, 3.0)),
    ear_size=around(0.17, 0.02),
    neck_width=around(0.46 - 0.12 * softness, 0.035),
    shoulder_width=around(1.35 - 0.25 * softness, 0.1),
    cheek=float(uniform(0.02, 0.07)),
    age=float(uniform() ** 1.5),
    skin=_colour(skin),
    blush=float(uniform(0, 1)),
    freckles=tuple(cheeks) if uniform() < 0.15 and dark < 0.6 else (),
    moles=tuple(moles) if uniform() < 0.2 else (),
    eye_spacing=spacing,
    eye_height=around(0.02, 0.02),
    eye_width=float(np.clip(around(0.165, 0.013), 0.135, spacing - 0.11)),
    eye_open=float(np.clip(around(0.50, 0.07), 0.34, 0.66)),
    eye_tilt=around(0.06, 0.05),
    iris=_colour(_IRIS[rng.choice(6, p=_iris_weights(dark))] * uniform(0.85, 1.15)),
    lashes=float(uniform(0.011, 0.016) + 0.008 * softness),
    brow_height=around(0.215, 0.022),
    brow_thickness=float(np.clip(around(0.052 - 0.020 * softness, 0.010), 0.018, 0.075)),
    brow_length=around(0.20, 0.015),
    brow_slope=around(0.0, 0.035),
    brow_arch=around(0.030, 0.014),
    nose_length=around(0.37, 0.03),
    nose_width=float(np.clip(around(0.125 + 0.03 * dark, 0.02), 0.085, 0.2)),
    nose_ridge=float(uniform(0.07, 0.15)),
    mouth_height=around(0.615, 0.02),
    mouth_width=around(0.265, 0.028),
    lip_upper=float(np.clip(around(0.050 + 0.02 * dark, 0.014), 0.022, 0.10)),
    lip_lower=float(np.clip(around(0.072 + 0.02 * dark, 0.016), 0.035, 0.125)),
    lip_colour=_colour(255 * np.clip(skin / 255 * lip_red + 0.08 * rng.normal(size=3) * np.array([1, 0.4, 0.4]), 0, 1)),
    hair_style=str(rng.choice(HAIR_STYLES, p=style_weights / style_weights.sum())),
    hair_colour=_colour(hair),
    hair_volume=float(uniform(0.07, 0.22)),
    hairline=around(-0.56, 0.05),
    parting=float(rng.choice((-1, 1)) * uniform(0.1, 0.4)),
    hair_length=float(uniform(0.75, 1.9)),
    facial_hair=str(rng.choice(FACIAL_HAIR, p=hairy / hairy.sum())),
    facial_hair_size=float(uniform(0, 1)),
    glasses=str(rng.choice(("none", "round", "square"), p=(0.78, 0.11, 0.11))),
    glasses_size=float(uniform(0.20, 0.245)),
    glasses_colour=_colour(rng.choice([(25, 25, 30), (90, 50, 30), (40, 50, 90), (150, 40, 45), (120, 120, 125)])),
    clothes=_colour(uniform(40, 210) + uniform(-60, 60, 3)),
    clothes_second=_colour(uniform(40, 230) + uniform(-60, 60, 3)),
    collar=str(rng.choice(("crew", "v", "shirt", "hood"))),
    texture=tuple(rng.uniform(-1, 1, 64).tolist()),
  )


def sample_action_units(rng: np.random.Generator, label: int) -> ActionUnits:
  """The expression `types.EXPRESSIONS[label]`, at an intensity drawn from [0.5, 1], each unit varied by 15 percent.

  Units that the expression does not use keep a faint activity of up to 0.03, so that no neutral face is quite still.
  """
  name = EXPRESSIONS[label]
  units = dict(PROTOTYPES[name])
  if name == "happy" and rng.uniform() < 0.65:
    units.update(au25=0.9, au26=float(rng.uniform(0, 0.2)))
  intensity = rng.uniform(0.5, 1)
  active = {f.name: 0.03 * rng.uniform() for f in dataclasses.fields(ActionUnits) if f.name not in ("au25", "au26")}
  for unit, weight in units.items():
    active[unit] = float(np.clip(max(active.get(unit, 0), weight * intensity * rng.uniform(0.85, 1.15)), 0, 1))
  return ActionUnits(**active)


def sample_nuisance(rng: np.random.Generator) -> Nuisance:
  """One photograph's pose (yaw, pitch and roll within 15 degrees), light, background and camera."""
  uniform = rng.uniform
  limit = np.deg2rad(15)

  def angle(spread):
    return float(np.clip(np.deg2rad(spread) * rng.normal(), -limit, limit))

  azimuth, elevation = np.deg2rad(uniform(-55, 55)), np.deg2rad(uniform(0, 50))
  light = (np.sin(azimuth) * np.cos(elevation), -np.sin(elevation), np.cos(azimuth) * np.cos(elevation))
  warmth = uniform(-1, 1)
  base = uniform(0.2, 0.82) + uniform(-0.11, 0.11, 3)
  second = np.clip(base + uniform(-0.2, 0.2) + uniform(-0.08, 0.08, 3), 0, 1)
  blobs = [
    (*uniform(-0.5, 0.5, 2), uniform(0.08, 0.3), *np.clip(base + uniform(-0.25, 0.25) + uniform(-0.1, 0.1, 3), 0, 1))
    for _ in range(3)
  ]
  return Nuisance(
    yaw=angle(7),
    pitch=angle(5),
    roll=angle(4.5),
    shift=(float(uniform(-0.05, 0.05)), float(uniform(-0.09, -0.02))),
    scale=float(uniform(0.29, 0.332)),
    gaze=(float(0.12 * rng.normal()), float(0.05 * rng.normal())),
    light=(float(light[0]), float(light[1]), float(light[2])),
    light_colour=(float(1 + 0.06 * warmth), 1.0, float(1 - 0.08 * warmth)),
    ambient=float(uniform(0.42, 0.6)),
    exposure=float(uniform(0.88, 1.1)),
    background=(tuple(base.tolist()), tuple(second.tolist())),
    background_angle=float(uniform(0, 2 * np.pi)),
    blobs=tuple(tuple(float(x) for x in blob) for blob in blobs[: rng.integers(0, 4)]),
    texture=tuple(map(tuple, (rng.uniform(-1, 1, (7, 7)) * uniform(0, 0.08)).tolist())),
    blur=float(uniform(0, 0.0065)),
    noise=float(uniform(0.002, 0.016)),
  )


_OF_SITTING = (
  "scale", "light", "light_colour", "ambient", "exposure", "background", "background_angle", "blobs", "texture", "blur",
  "noise",
)  # fmt: skip


def in_sitting(own: Nuisance, sitting: Nuisance) -> Nuisance:
  """One photograph of a sitting: pose, place and gaze of `own`; light, background and camera of `sitting`."""
  return dataclasses.replace(own, **{name: getattr(sitting, name) for name in _OF_SITTING})


def _mix(palette, position):
  low = min(int(position), len(palette) - 2)
  return palette[low] + (position - low) * (palette[low + 1] - palette[low])


def _colour(value):
  return tuple((np.clip(np.asarray(value, np.float64), 5, 250) / 255).tolist())


def _iris_weights(dark):
  weights = np.array([2, 2, 1, 1, 1.5, 1]) * np.array([1, 1] + [1 - 0.9 * dark] * 4)
  return weights / weights.sum()
