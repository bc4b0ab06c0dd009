"""The pictures of a fabricated audit, and its files."""

import json

import fabricated_run
import numpy as np


def arrays():
  """The content of `audit.npz`."""
  rng = np.random.default_rng(0)
  faces = np.stack([fabricated_run.drawn_face(rng) for _ in range(8)])
  hidden = np.stack([fabricated_run.views_of(face, rng)["mosaic"] for face in faces])
  others = np.stack([fabricated_run.drawn_face(rng) for _ in range(4)])
  return {
    "worst_original": faces[:4], "worst_protected": hidden[:4], "worst_match": faces[:4], "worst_rank": np.ones(4, int),
    "best_original": faces[4:], "best_protected": hidden[4:], "best_match": others,
    "best_rank": np.array([120, 117, 98, 97]),
  }  # fmt: skip


def write(folder, message, stored):
  """Writes the two files as the audit does."""
  (folder / "audit.json").write_text(json.dumps(message), encoding="utf-8")
  np.savez(folder / "audit.npz", **stored)
