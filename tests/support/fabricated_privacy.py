"""A complete, plausible `privacy` section and `audit.json`; the scores are drawn, the statistics are the real ones."""

import functools
import json

import numpy as np

from qm_vae.privacy import statistics

GALLERY_SIZES = (40, 120)  # 120 people make the 10,000 pairs that a FAR of 1e-3 needs
FIRST, SECOND = "mobilefacenet", "facenet"
GUARANTEE = {
  "mechanism": "exponential", "tokens": 1, "codes": 64, "answers": 7, "epsilon": 0.7, "epsilon_per_code": 0.7,
  "rank_1": [{"people": 40, "at_most": 0.343}, {"people": 120, "at_most": 0.116}],
}  # fmt: skip
EVIL = "a <script>alert(1)</script> & \"b\" 'c' \udc80\u202e日本 $\\frac$\n.jpg"
ATTACKS = (  # attacker, embedder, gallery, epochs
  ("naive", FIRST, "clear", 0),
  ("naive", SECOND, "clear", 0),
  ("linkage", FIRST, "protected", 0),
  ("parrot", FIRST, "protected", 6),
  ("inversion", FIRST, "clear", 8),
  ("residual", None, "protected", 0),
)
METHODS = (  # name, kind, how far a person's own score stands out per attack, mean PSNR
  ("identity", "control", (4.6, 4.3, 4.6, 4.8, 4.4, 3.0), None),
  ("blank", "control", (0, 0, 0, 0, 0, 0), 11.2),
  ("mosaic", "view", (1.6, 1.2, 2.1, 3.2, 2.4, 1.0), 18.7),
  ("laplace", "view", (4.4, 4.0, 4.3, 4.5, 4.2, 2.4), 27.4),
  ("union", "union", (4.5, 4.1, 4.4, 4.6, 4.3, 2.6), None),
  ("qm_vae", "model", (1.4, 1.1, 1.7, 2.8, 2.2, 0.9), 19.1),
)


def _crowds(standing_out, rng, flat=False):
  message = []
  for n in GALLERY_SIZES:
    scores = np.zeros((n, n)) if flat else rng.normal(size=(n, n)) + standing_out * np.eye(n)
    message.append(statistics.summary(scores, range(n), range(n), resamples=10))
  return message


def _attack(kind, standing_out, clear, rng, flat):
  attacker, embedder, gallery, epochs = kind
  return {
    "attacker": attacker,
    "embedder": embedder,
    "gallery": gallery,
    "seconds": 3.2 if not epochs else 20.7 * epochs,
    "losses": [3.1 * 0.8**e for e in range(epochs)],
    "loss_fell": True if epochs else None,
    "measures": {"ssim": 0.41, "ssim_mean_face": 0.33} if attacker == "inversion" else {},
    "crowds": _crowds(standing_out, rng, flat),
    "on_clear": clear and {key: clear[key] for key in ("value", "low", "high", "n")},
    "shuffled": {"value": 0.0083, "chance": 1 / GALLERY_SIZES[-1], "ok": True},
  }


def _method(name, kind, levels, psnr, clear, rng):
  attacks = [
    _attack(one, level, on_clear, rng, flat=name == "blank")
    for one, level, on_clear in zip(ATTACKS, levels, clear, strict=True)
  ]
  best = max(attacks, key=lambda one: one["crowds"][-1]["rank_1"]["value"])
  message = {
    "name": name,
    "kind": kind,
    "psnr": {"mean": psnr, "lowest": psnr and psnr - 3, "highest": psnr and psnr + 4},
    "unprotected": [{"name": f"{i}.png", "psnr": None} for i in range(20)] if name == "identity" else [],
    "attacks": attacks,
    "left_out": [{"attacker": "codes", "embedder": None, "reason": "only for methods that make codes"}],
    "headline": {
      "attacker": best["attacker"],
      "embedder": best["embedder"],
      "people": GALLERY_SIZES[-1],
      "rank_1": best["crowds"][-1]["rank_1"],
      "chance": 1 / GALLERY_SIZES[-1],
    },
  }
  if kind in ("control", "view", "union"):
    return message
  rank_1 = message["headline"]["rank_1"]
  side = {"attacker": "linkage", "embedder": FIRST, "rank_1": rank_1}
  test = {"n": 120, "both": 20, "first_only": 14, "second_only": 2, "neither": 84, "p": 0.0041809}
  message["surroundings"] = {
    "output": side,
    "blanked": side,
    "averaged": side,
    "exchanged": side,
    "against": "averaged",
    "test": test,
  }
  message["sessions"] = {"same": side | {"people": 40}, "different": side | {"people": 40}}
  message["end_to_end"] = {**rank_1, "value": rank_1["value"] + 0.01}
  return message


@functools.cache
def _text(methods):
  rng = np.random.default_rng(0)
  message = []
  for row in METHODS:
    if row[0] in methods:
      clear = [one["crowds"][-1]["rank_1"] for one in message[0]["attacks"]] if message else [None] * len(ATTACKS)
      message.append(_method(*row, clear, rng))
  for one in message[0]["attacks"]:
    one["on_clear"] = {key: one["crowds"][-1]["rank_1"][key] for key in ("value", "low", "high", "n")}
  clear = [{"embedder": name, "crowds": _crowds(level, rng)} for name, level in ((FIRST, 4.7), (SECOND, 4.3))]
  measured = message[0]["headline"]["rank_1"]
  n = GALLERY_SIZES[-1]
  return json.dumps(
    {
      "version": 1,
      "seed": 0,
      "effort": 1.0,
      "seconds": 812.3,
      "people": {
        "faces": 5200, "known": 1980, "attacked": n, "probes": n, "teaching_people": 1480, "teaching_faces": 3900,
      },
      "split": {"gallery": [f"g{i}.png" for i in range(n)], "probe": [f"p{i}.png" for i in range(n)]},
      "crowds": list(GALLERY_SIZES),
      "embedders": [
        {"name": FIRST, "source": "networks/mobilefacenet", "sha256": "3f" * 32, "trainable": True},
        {"name": SECOND, "source": "weights/facenet.onnx", "sha256": "a7" * 32, "trainable": False},
      ],
      "clear": clear,
      "methods": message,
      "without_sessions": "",
      "shown_in_clear": {"value": 0.013, "n": 5270, "low": 0.0103, "high": 0.0165, "method": "wilson"},
      "controls": {
        "identity": {"ok": True, "rank_1": measured, "clear": clear[0]["crowds"][-1]["rank_1"], "share": 0.99},
        "blank": {"ok": True, "rank_1": message[1]["headline"]["rank_1"], "chance": 1 / n},
        "clear": {"ok": True, "rank_1": clear[0]["crowds"][-1]["rank_1"], "chance": 1 / n},
        "shuffled": {"ok": True},
        "warnings": [],
        "void": [],
      },
    }
  )  # fmt: skip


def privacy(methods=tuple(row[0] for row in METHODS)):
  """The section of a run's report; its statistics are computed once."""
  return json.loads(_text(methods))


def audit():
  """The content of `audit.json`: a tool that left two pictures as they were, one with a hostile name."""
  message = privacy(("identity", "blank", "mosaic"))
  ours = privacy()["methods"][-1]
  message["methods"][2] |= {"name": "protected", "kind": "audited"}
  message["methods"][2] |= {key: ours[key] for key in ("surroundings", "sessions", "end_to_end")}
  unprotected = [{"name": EVIL, "psnr": None}, {"name": "people/7/2.png", "psnr": 41.234}]
  message["methods"][2]["unprotected"] = unprotected
  return {
    "version": 1,
    "created": "2026-11-23T07:00:00+00:00",
    "command": "python -m qm_vae.audit originals protected --out audit",
    "environment": {"python": "3.12.1", "jax": "0.12.0"},
    "originals": "originals",
    "protected": "a tool's <b>output</b>",
    "labels": None,
    "files": {
      "pairs": 5230,
      "faces": 5200,
      "missed": [{"name": EVIL, "reason": "no face found"}],
      "unreadable": [{"name": f"cut{i}.jpg", "reason": "image file is truncated"} for i in range(9)],
      "resized": ["big.png"],
      "incomparable": [{"name": "other.png", "reason": "360 x 240 for an original of 240 x 360"}],
    },
    "unprotected": unprotected,
    "privacy": message,
    "verdict": {"exit": 3, "lines": ["2 pictures are not protected", "rank 1 reaches 0.70, above --max-rank1 0.10"]},
    "max_rank1": 0.1,
    "pictures": True,
  }
