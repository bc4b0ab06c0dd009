"""The factors of a drawn face: who it is, what it expresses, and how it was photographed.

Lengths are in head units: half the distance from crown to chin of an average head (see `qm_vae.data.drawing`).
"""

import dataclasses

HAIR_STYLES = ("bald", "receding", "cropped", "parted", "fringe", "bob", "long", "wavy", "curly", "bun", "quiff")
FACIAL_HAIR = ("none", "stubble", "moustache", "goatee", "beard")


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
