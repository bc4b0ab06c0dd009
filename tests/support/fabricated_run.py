"""A complete, plausible `report.json` and `evaluation.npz` with drawn pictures; nothing in it was measured."""

import json
import math

import fabricated_privacy
import numpy as np

from qm_vae.metrics.face_utility import UNITS

CLASSES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
VIEWS = ["blindfold", "mosaic", "laplace", "cartoon"]
EVIL = fabricated_privacy.EVIL


def rate(value, n, method="Wilson"):
  """A rate with its Wilson interval."""
  z = 1.96
  centre = (value + z * z / (2 * n)) / (1 + z * z / n)
  half = z / (1 + z * z / n) * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
  return {"value": value, "n": n, "low": max(centre - half, 0.0), "high": min(centre + half, 1.0), "method": method}


def drawn_face(rng, size=64):
  """A face of ellipses, uint8 [size, size, 3]."""
  y, x = np.mgrid[0:size, 0:size] / (size - 1) - 0.5
  image = np.ones((size, size, 3)) * rng.uniform(0.25, 0.75, 3) * (1 - 0.3 * y[..., None])
  skin = np.array([0.9, 0.72, 0.58]) * rng.uniform(0.55, 1.05)
  head = (x / rng.uniform(0.3, 0.36)) ** 2 + (y / rng.uniform(0.4, 0.46)) ** 2 < 1
  image[head] = skin
  image[head & (y < rng.uniform(-0.3, -0.2))] = rng.uniform(0.05, 0.5, 3)
  for side in (-1, 1):
    image[((x - side * 0.13) / 0.05) ** 2 + ((y + 0.06) / 0.03) ** 2 < 1] = 0.95
    image[((x - side * 0.13) / 0.02) ** 2 + ((y + 0.06) / 0.02) ** 2 < 1] = 0.1
  bend = rng.uniform(-1.5, 3)
  image[(np.abs(x) < 0.14) & (np.abs(y - 0.22 + bend * x**2) < 0.022)] = (0.6, 0.15, 0.15)
  return (np.clip(image + rng.normal(0, 0.015, image.shape), 0, 1) * 255).astype(np.uint8)


def views_of(image, rng):
  """{name: image} of simple stand-ins for the de-identifiers and the model."""
  size = len(image)
  blindfold = image.copy()
  blindfold[int(0.36 * size) : int(0.52 * size)] = 0
  blocks = image.reshape(size // 8, 8, size // 8, 8, 3).mean((1, 3))
  mosaic = blocks.repeat(8, 0).repeat(8, 1).astype(np.uint8)
  noisy = np.clip(image + rng.laplace(0, 8, image.shape), 0, 255).astype(np.uint8)
  soft = image.astype(float)
  for _ in range(4):
    soft = (soft + np.roll(soft, 1, 0) + np.roll(soft, 1, 1) + np.roll(soft, -1, 0) + np.roll(soft, -1, 1)) / 5
  return {
    "identity": image,
    "blank": np.full_like(image, 128),
    "blindfold": blindfold,
    "mosaic": mosaic,
    "laplace": noisy,
    "cartoon": (image // 64 * 64 + 32).astype(np.uint8),
    "qm_vae": soft.astype(np.uint8),
  }


def _method(name, kind, options, loss, judges, rng):
  per_expression = [
    {"expression": c, "loss_rate": rate(min(1.0, max(0.0, loss + rng.normal(0, 0.1))), n) if n else _unknown()}
    for c, n in zip(CLASSES, (14, 0, 9, 91, 21, 6, 59), strict=True)
  ]
  return {
    "name": name,
    "kind": kind,
    "options": options,
    "loss_rate": rate(loss, 200),
    "pipeline_loss_rate": rate(min(1, loss + 0.06), 200),
    "pipeline_no_face": rate(0.035, 200),
    "judges": [{"name": n, "service_answer": rate(v, 200), "own_answer": rate(w, 200)} for n, v, w in judges],
    "per_expression": per_expression,
    "face": face(loss),
    "found_again": rate(1 - 0.6 * loss, 200),
    "detector_score": rate_of(0.85 - 0.5 * loss, 200),
    "seam": rate_of(1.1 + loss, 200),
    "memorization": [memorized("mobilefacenet")] if kind in ("model", "baseline") else None,
    "realism": {"frechet": rate_of(20 + 60 * loss, 100), "kernel": rate_of(0.4 * loss, 100)},
    "psnr": {"value": 21.3 - 10 * loss, "n": 200, "low": 20.9 - 10 * loss, "high": 21.7 - 10 * loss},
    "ssim": {"value": 0.8 - 0.5 * loss, "n": 200, "low": 0.78 - 0.5 * loss, "high": 0.82 - 0.5 * loss},
  }


def rate_of(value, n):
  """A mean with an interval, as face_utility gives it."""
  return {"value": value, "n": n, "low": 0.9 * value, "high": 1.1 * value}


def face(loss):
  """What stays of a face, worse where more is lost."""
  return {name: rate_of(loss + 0.4 if name != "detail" else 1 - loss / 2, 200) for name in UNITS}


def memorized(embedder):
  """One recogniser's row on memorisation."""
  rates = {"outputs": rate(0.025, 200), "held_out": rate(0.01, 200)}
  spans = {"difference": rate_of(0.015, 200), "auc": rate_of(0.53, 200)}
  return {"embedder": embedder, "threshold": 0.4123} | rates | spans


def _unknown():
  return {"value": None, "n": 0, "low": None, "high": None, "method": "Wilson"}


def report(seed=0, alpha=0.4, epochs=40):
  """The content of `report.json`."""
  rng = np.random.default_rng(seed)
  first, second = "small_cnn", "vgg_like"
  table = (
    ("identity", "control", {}, 0.0, 0.235, 0.0),
    ("blank", "control", {}, 0.845, 0.81, 0.79),
    ("aligned_mean", "baseline", {"k": 10}, 0.16, 0.2, 0.18),
    ("blindfold", "view", {}, 0.265, 0.38, 0.3),
    ("mosaic", "view", {"block": 8}, 0.66, 0.69, 0.64),
    ("laplace", "view", {"scale": 8}, 0.23, 0.35, 0.24),
    ("cartoon", "view", {"levels": 8}, 0.42, 0.47, 0.41),
    ("qm_vae", "model", {}, 0.1375, 0.3125, 0.2775),
  )
  decay = [0.14 + 0.5 * math.exp(-e / 7) + rng.normal(0, 0.012) - 0.1 * (alpha - 0.4) for e in range(1, epochs + 1)]
  return {
    "version": 1,
    "created": "2026-11-23T07:00:00+00:00",
    "command": "python -m qm_vae.main --config=configs/alpha04.py --workdir='runs/a b'",
    "config": {"alpha": alpha, "seed": seed, "data": {"name": "synthetic", "note": "line\nfeed <b>"}},
    "environment": {"python": "3.12.1", "jax": "0.12.0", "flax": "0.12.12", "device": "cpu", "cores": 2},
    "data": {
      "name": "synthetic",
      "classes": CLASSES,
      "image_size": 64,
      "split": "identity",
      "identities_known": True,
      "people_on_both_sides": 0,
      "seed": 0,
      "train": {"n": 800, "identities": 160},
      "test": {"n": 200, "identities": 40},
      "records": 1013,
      "missed": [{"name": f"{i:06d}.jpg", "reason": "no face found"} for i in range(11)]
      + [{"name": EVIL, "reason": "not an image: <img src=x onerror=alert(2)>"}],
      "duplicates_dropped": 1,
    },
    "service": {
      "name": "mini-Xception",
      "checkpoint": "cache/expression-3f2a",
      "architecture": "mini_xception",
      "classes": CLASSES,
      "accuracy": rate(0.955, 200),
      "answers": dict(zip(CLASSES, (14, 0, 9, 91, 21, 6, 59), strict=True)),
      "constant_answer": rate(1 - 91 / 200, 200),
    },
    "judges": [
      {"name": first, "architecture": "five convolutions", "checkpoint": "cache/judge-1", "accuracy": rate(0.94, 200),
       "agreement_on_originals": rate(0.765, 200)},
      {"name": second, "architecture": "vgg", "checkpoint": "cache/judge-2", "accuracy": None,
       "agreement_on_originals": rate(0.72, 200)},
    ],
    "controls": {"identity": rate(0.0, 200), "blank": rate(0.845, 200), "void": False, "reasons": []},
    "face_detector": {"name": "centerface.onnx", "threshold": 0.2},
    "instrument_floors": {"face": {"jpeg95": face(0.01)}, "realism": {"frechet": rate_of(18.0, 100)}, "units": UNITS},
    "noise_floor": {"jpeg95": rate(0.02, 200), "shift1": rate(0.045, 200), "grey1": rate(0.005, 200)},
    "methods": [
      _method(name, kind, options, loss, ((first, judged, own), (second, min(1, judged + 0.05), own + 0.03)), rng)
      for name, kind, options, loss, judged, own in table
    ],
    "judged_expressions": [
      {"expression": c, "judges": [{"name": name, "service_answer": rate(0.25, n) if n else _unknown()}
                                   for name in (first, second)]}
      for c, n in zip(CLASSES, (14, 0, 9, 91, 21, 6, 59), strict=True)
    ],
    "asked": {"rows": [{"expression": c, "n": 200, "read": {"service": 0.9 - 0.05 * i, first: 0.8 - 0.05 * i}}
                       for i, c in enumerate(CLASSES)]},
    "gap": {"judge": first, "value": 0.175, "n": 200, "low": 0.11, "high": 0.24, "method": "bootstrap over people"},
    "codebook": {"codes": 512, "used": {**rate(0.984375, 512), "method": "exact"}, "perplexity": 301.2},
    "curve": [
      {"epoch": e + 1, "loss_rate": v, "mse": 0.02 + 0.05 / (e + 1),
       "judges": {first: v + 0.16, second: v + 0.2 if e else None}}
      for e, v in enumerate(decay)
    ],
    "probabilities": {
      "classes": CLASSES,
      "mean_difference": rng.normal(0, 0.04, 7).tolist(),
      "std_difference": rng.uniform(0.04, 0.2, 7).tolist(),
    },
    "training": {"epochs": epochs, "steps": 1000, "seconds": 312.4, "images_per_second": 102.5, "alpha": alpha,
                 "service_loss": "cross_entropy"},
    "examples": [
      {"name": EVIL if i == 1 else f"face {i}.png", "service_answer_original": "happy",
       "service_answer_output": "sad" if i == 2 else "happy", "answers": {"mosaic": "neutral", "laplace": "happy"}}
      for i in range(6)
    ],
    "case": {"name": "frame.png", "views": VIEWS, "service_answer_original": "happy", "service_answer_output": "sad"},
    "privacy": fabricated_privacy.privacy() | {"guarantee": fabricated_privacy.GUARANTEE},
  }  # fmt: skip


def arrays(seed=0):
  """The content of `evaluation.npz`."""
  rng = np.random.default_rng(seed)
  original = np.stack([drawn_face(rng) for _ in range(6)])
  made = [views_of(image, rng) for image in original]
  stored = {"original": original, **{f"method_{name}": np.stack([one[name] for one in made]) for name in made[0]}}
  sharp = rng.gamma(0.35, size=(200, 7)) + 1e-3
  moved = sharp * rng.lognormal(0, 0.45, (200, 7))
  stored["probabilities_original"] = (sharp / sharp.sum(1, keepdims=True)).astype(np.float32)
  stored["probabilities_output"] = (moved / moved.sum(1, keepdims=True)).astype(np.float32)
  frame = (np.ones((180, 240, 3)) * np.linspace(90, 190, 240)[None, :, None]).astype(np.uint8)
  frame[60:124, 100:164] = original[0]
  views = views_of(original[0], rng)
  pasted = frame.copy()
  pasted[60:124, 100:164] = views["qm_vae"]
  look = {"original": original, "output": stored["method_qm_vae"], "mean": stored["method_mosaic"]}
  stored |= {f"look_{name}": image for name, image in look.items()}
  stored |= {f"look_frames_{name}": np.stack([frame, pasted]) for name in look}
  return {
    **stored,
    "case_frame": frame,
    "case_box": np.array([100, 60, 64], np.float32),
    "case_crop": original[0],
    "case_views": np.stack([views[name] for name in VIEWS]),
    "case_output": views["qm_vae"],
    "case_pasted": pasted,
  }


def write(workdir, message, stored):
  """Writes the two files as a run does."""
  (workdir / "report.json").write_text(json.dumps(message), encoding="utf-8")
  np.savez(workdir / "evaluation.npz", **stored)
