"""The factors of a drawn face: who it is, what it expresses, and how it was photographed.

The three are sampled from separate generators, so that changing one leaves the others as they were. Lengths are in
head units: half the distance from crown to chin of an average head (see `qm_vae.data.drawing`).
"""

import dataclasses

import numpy as np

from qm_vae.types import EXPRESSIONS

HAIR_STYLES = ("bald", "receding", "cropped", "parted", "fringe", "bob", "long", "wavy", "curly", "bun", "quiff")
FACIAL_HAIR = ("none", "stubble", "moustache", "goatee", "beard")

_SKIN = np.array(
  [(248, 212, 184), (240, 196, 162), (228, 178, 140), (206, 152, 112), (176, 122, 86), (144, 98, 70), (118, 82, 62)]
)
_HAIR = np.array(
  [(28, 24, 26), (52, 36, 28), (88, 58, 38), (124, 64, 36), (168, 86, 44), (186, 146, 86), (226, 200, 148), (150, 148, 148)]
)
_IRIS = np.array([(58, 36, 22), (92, 58, 30), (110, 92, 48), (72, 104, 66), (70, 112, 150), (104, 122, 134)])


@dataclasses.dataclass(frozen=True)
class Person:
  """Identity: everything that stays the same over all images of one person. Colours are RGB in [0, 1]."""

  head_width: float  # half-width at the cheekbones
  chin: float  # distance from the centre of the head to the chin
  jaw_taper: float  # 0 straight, 0.35 strongly narrowing
  jaw_square: float  # exponent of the lower outline, 1.9 pointed to 2.9 square
  ear_size: float
  neck_width: float
  shoulder_width: float
  cheek: float  # height of the cheek relief
  age: float  # depth of folds, in [0, 1]
  skin: tuple[float, ...]
  blush: float  # redness of cheeks, in [0, 1]
  freckles: tuple[tuple[float, float, float], ...]  # (u, v, radius)
  moles: tuple[tuple[float, float, float], ...]  # (u, v, radius)
  eye_spacing: float  # distance of an eye's centre from the midline
  eye_height: float  # v of the eyes
  eye_width: float  # half-width of the opening
  eye_open: float  # half-height of the opening, relative to its half-width
  eye_tilt: float  # outer corner above the inner one, as a slope
  iris: tuple[float, ...]
  lashes: float  # half-width of the lash line
  brow_height: float  # distance of the brow above the eye
  brow_thickness: float
  brow_length: float
  brow_slope: float
  brow_arch: float
  nose_length: float  # v of the tip
  nose_width: float
  nose_ridge: float  # height of the ridge
  mouth_height: float  # v of the line between the lips
  mouth_width: float
  lip_upper: float
  lip_lower: float
  lip_colour: tuple[float, ...]
  hair_style: str  # one of HAIR_STYLES
  hair_colour: tuple[float, ...]
  hair_volume: float
  hairline: float  # v of the hairline at the midline
  parting: float  # u of the parting
  hair_length: float  # v where long hair ends
  facial_hair: str  # one of FACIAL_HAIR
  facial_hair_size: float
  glasses: str  # "none", "round", "square"
  glasses_size: float
  glasses_colour: tuple[float, ...]
  clothes: tuple[float, ...]
  clothes_second: tuple[float, ...]
  collar: str  # "crew", "v", "shirt", "hood"
  texture: tuple[float, ...]  # 64 values in [-1, 1]: the strands of the hair


@dataclasses.dataclass(frozen=True)
class ActionUnits:
  """Expression: strength in [0, 1] of the units of the facial action coding system (Ekman, Friesen & Hager 2002)."""

  au1: float = 0.0  # inner brow raiser
  au2: float = 0.0  # outer brow raiser
  au4: float = 0.0  # brow lowerer: brows down and together
  au5: float = 0.0  # upper lid raiser
  au6: float = 0.0  # cheek raiser: cheeks up, lower lids up
  au7: float = 0.0  # lid tightener
  au9: float = 0.0  # nose wrinkler
  au10: float = 0.0  # upper lip raiser
  au12: float = 0.0  # lip corner puller
  au15: float = 0.0  # lip corner depressor
  au17: float = 0.0  # chin raiser
  au20: float = 0.0  # lip stretcher
  au24: float = 0.0  # lip presser (with AU23, lip tightener)
  au25: float = 0.0  # lips part
  au26: float = 0.0  # jaw drop (to AU27, mouth stretch)
  au43: float = 0.0  # eyes closing: drooping upper lids


PROTOTYPES = {
  "angry": dict(au4=1.0, au5=0.25, au7=0.8, au24=1.0, au17=0.35),
  "disgust": dict(au9=1.0, au10=1.0, au4=0.35, au7=0.55, au15=0.35, au25=0.4, au17=0.3),
  "fear": dict(au1=1.0, au2=0.45, au4=0.55, au5=1.0, au20=1.0, au25=0.8, au26=0.25),
  "happy": dict(au6=0.9, au12=1.0),
  "sad": dict(au1=1.0, au4=0.5, au15=1.0, au17=0.5, au43=0.6),
  "surprise": dict(au1=0.85, au2=1.0, au5=0.85, au26=1.0, au25=0.5),
  "neutral": {},
}
"""Action units of each expression at full intensity (after Ekman & Friesen's EMFACS prototypes)."""


@dataclasses.dataclass(frozen=True)
class Nuisance:
  """What a photograph adds. Angles in radians; positions and blur as shares of the frame's side; colours in [0, 1]."""

  yaw: float
  pitch: float
  roll: float
  shift: tuple[float, float]
  scale: float  # frame sides per head unit
  gaze: tuple[float, float]  # shares of the eye's half-width
  light: tuple[float, float, float]  # unit vector towards the light; x right, y down, z to the camera
  light_colour: tuple[float, ...]
  ambient: float
  exposure: float
  background: tuple[tuple[float, ...], tuple[float, ...]]
  background_angle: float
  blobs: tuple[tuple[float, ...], ...]  # (x, y, radius, r, g, b)
  texture: tuple[tuple[float, ...], ...]  # 7 x 7 coarse pattern, in [-1, 1]
  blur: float  # standard deviation
  noise: float  # standard deviation, in [0, 1]


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
  weights = np.array([3.5, 3.5, 3, 2, 1.2, 2, 1.2, 1.3]) * np.array([1] * 3 + [1 - 0.8 * dark] * 2 + [(1 - dark) ** 2] * 2 + [1 - 0.6 * dark])
  shade = rng.choice(len(_HAIR), p=weights / weights.sum())
  hair = _HAIR[shade] * uniform(0.8, 1.2) + rng.normal(size=3) * 4
  style_weights = np.array([1.2, 1.2, 2.5, 2, 1.5, 1, 1, 1, 1.6, 0.8, 1.5])
  style_weights *= np.where(np.isin(HAIR_STYLES, ("bob", "long", "wavy", "bun", "fringe")), 0.15 + 2 * softness, 1.6 - softness)
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

  Units that the expression does not use keep a faint activity of up to 0.04, so that no neutral face is quite still.
  """
  name = EXPRESSIONS[label]
  units = dict(PROTOTYPES[name])
  if name == "happy" and rng.uniform() < 0.65:
    units.update(au25=0.9, au26=float(rng.uniform(0, 0.2)))
  intensity = rng.uniform(0.5, 1)
  active = {f.name: 0.04 * rng.uniform() for f in dataclasses.fields(ActionUnits) if f.name not in ("au25", "au26")}
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
  blobs = [(*uniform(-0.5, 0.5, 2), uniform(0.08, 0.3), *np.clip(base + uniform(-0.25, 0.25) + uniform(-0.1, 0.1, 3), 0, 1)) for _ in range(3)]
  return Nuisance(
    yaw=angle(7),
    pitch=angle(5),
    roll=angle(4.5),
    shift=(float(uniform(-0.05, 0.05)), float(uniform(-0.09, -0.02))),
    scale=float(uniform(0.29, 0.332)),
    gaze=(float(0.12 * rng.normal()), float(0.05 * rng.normal())),
    light=tuple(float(x) for x in light),
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


def _mix(palette, position):
  low = min(int(position), len(palette) - 2)
  return palette[low] + (position - low) * (palette[low + 1] - palette[low])


def _colour(value):
  return tuple((np.clip(np.asarray(value, np.float64), 5, 250) / 255).tolist())


def _iris_weights(dark):
  weights = np.array([2, 2, 1, 1, 1.5, 1]) * np.array([1, 1] + [1 - 0.9 * dark] * 4)
  return weights / weights.sum()
