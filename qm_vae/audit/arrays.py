"""An audit of arrays: who can be re-identified in what a method made of faces, without a file."""

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qm_vae import embedders, types
from qm_vae.errors import InputError
from qm_vae.privacy import contract, measure, protocol, training


@dataclasses.dataclass(frozen=True)
class ArrayAudit:
  """What an audit of arrays found."""

  rank_1: dict[str, Any]  # of the strongest attacker: value, low, high (95 % interval), n
  attacker: str  # the strongest
  chance: float  # of rank 1
  clear: dict[str, Any]  # rank 1 of the recogniser on clear pictures, which is the yardstick
  num_people: int  # attacked
  void: tuple[str, ...]  # why the numbers mean nothing; () where every control holds
  report: dict[str, Any]  # all of it, as docs/report.md has it


def audit_arrays(
  original: np.ndarray,
  protected: np.ndarray,
  identity: Sequence,
  *,
  embed: Callable[[np.ndarray], np.ndarray],
  attackers: Sequence[str] = ("naive", "linkage"),
  people: int = 500,
  seed: int = 0,
) -> ArrayAudit:
  """Attacks protected faces, with the controls that validate the attack.

  Args:
    original: uint8 [N, H, W, 3] RGB, the unprotected faces.
    protected: the protected faces, in the same shape and order.
    identity: [N], numbers or names; at least ten people need two faces or more.
    embed: a face recogniser: uint8 [N, H, W, 3] -> numbers [N, D].
    attackers: names from privacy.attackers.ATTACKERS; some train networks, minutes each.
    people: attack at most so many people; the others train the attackers.
    seed: seed of the choice of attacked people.

  Raises:
    ValueError: for arrays that do not fit, or too few people.

  Examples:
    >>> rng = np.random.default_rng(0)
    >>> faces = np.repeat(rng.integers(0, 256, (24, 16, 16, 3)), 2, axis=0) + rng.integers(-9, 9, (48, 16, 16, 3))
    >>> faces = np.clip(faces, 0, 255).astype(np.uint8)
    >>> pixels = lambda images: images.reshape(len(images), -1) / 255 - 0.5
    >>> found = audit_arrays(faces, np.full_like(faces, 128), np.repeat(np.arange(24), 2), embed=pixels)
    >>> found.clear["value"], round(found.rank_1["value"], 3) == round(found.chance, 3)
    (1.0, True)
  """
  original, protected = (_checked(name, x) for name, x in (("original", original), ("protected", protected)))
  if protected.shape != original.shape or len(identity) != len(original):
    raise InputError(
      f"original is {list(original.shape)}, protected {list(protected.shape)} and identity has {len(identity)} "
      "entries; all three are about the same faces in the same order"
    )
  _, person = np.unique(np.asarray(identity), return_inverse=True)
  height, width = original.shape[1:3]
  eyes = np.tile(np.multiply(types.AVERAGE_EYES, (width, height) * 2).astype(np.float32), (len(original), 1))

  def pairs(image):
    return contract.Pairs(
      original, image, eyes, eyes, person.astype(np.int32), tuple(map(str, range(len(image)))), image
    )

  chosen = protocol.choose(person, people=people, probes=1, seed=seed)
  methods = [
    measure.Method("identity", "control", pairs(original)),
    measure.Method("blank", "control", pairs(np.full_like(original, 128))),
    measure.Method("protected", "audited", pairs(protected)),
  ]
  recogniser = embedders.LoadedEmbedder("embed", lambda image, eyes: _unit(embed(image)), None, "function", "")
  with tempfile.TemporaryDirectory() as folder:
    learn = training.learner(Path(folder), seed)
    report = measure.measure(methods, chosen, [recogniser], attackers=attackers, learn=learn, seed=seed).report
  headline = report["methods"][-1]["headline"]
  return ArrayAudit(
    rank_1=headline["rank_1"],
    attacker=headline["attacker"],
    chance=headline["chance"],
    clear=report["clear"][0]["crowds"][-1]["rank_1"],
    num_people=headline["people"],
    void=tuple(report["controls"]["void"]),
    report=report,
  )


def _checked(name, images):
  images = np.asarray(images)
  if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
    raise InputError(f"{name} is {images.dtype} {list(images.shape)}; it must be uint8 [N, H, W, 3], RGB")
  return images


def _unit(embedding):
  embedding = np.asarray(embedding, np.float32)
  length = np.linalg.norm(embedding, axis=-1, keepdims=True)
  return embedding / np.maximum(length, 1e-12)
