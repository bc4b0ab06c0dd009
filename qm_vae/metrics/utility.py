"""What a service loses by a de-identification: rates with intervals from answers and images, on the host."""

import jax
import numpy as np

from qm_vae.metrics import floor, intervals, judging
from qm_vae.metrics import images as metrics
from qm_vae.types import FaceSet


def rate(hits, test: FaceSet) -> dict:
  """Share of `hits` (bool [N]) with n and interval, as `rates.Rate.as_dict` gives it."""
  return intervals.rate(np.asarray(hits, np.float64), test.identity).as_dict()


def mean(values: np.ndarray, test: FaceSet) -> dict:
  """Mean of any finite values with the bootstrap over people; None where a value is infinite (equal images)."""
  if not np.isfinite(values).all():
    return {"value": None, "n": len(values), "low": None, "high": None}
  low, span = values.min(), max(np.ptp(values), 1e-12)
  scaled = intervals.bootstrap_by_identity((values - low) / span, test.identity)
  return {
    "value": float(values.mean()),
    "n": len(values),
    "low": low + span * scaled.low,
    "high": low + span * scaled.high,
  }


def utility(test: FaceSet, truth, originals, logits, classes) -> dict:
  """Loss rates of one method (Qiu et al. 2022, Eq. 8, Tables 2 and 3).

  Args:
    test: the N test faces.
    truth: int [N], the service's answers on the originals.
    originals: {"service" or judge: logits [N, C]} on the originals.
    logits: the same on the method's outputs.
    classes: the C class names.
  """
  lost = logits["service"].argmax(-1) != truth
  judges = [
    {
      "name": name,
      "service_answer": rate(judging.differs(logits[name], truth, classes), test),
      "own_answer": rate(judging.changes(logits[name], originals[name]), test),
    }
    for name in logits
    if name != "service"
  ]
  per_expression = []
  for i, expression in enumerate(classes):
    rows = np.flatnonzero(truth == i)
    per_expression.append({"expression": expression, "loss_rate": rate(lost[rows], test.take(rows))})
  return {"loss_rate": rate(lost, test), "judges": judges, "per_expression": per_expression}


def judged_expressions(test: FaceSet, truth, logits, classes) -> list[dict]:
  """Table 3 by the judges: their rates against the service's answer on the original, expression by expression."""
  found = []
  for i, expression in enumerate(classes):
    rows = np.flatnonzero(truth == i)
    judges = [
      {"name": name, "service_answer": rate(judging.differs(logits[name][rows], truth[rows], classes), test.take(rows))}
      for name in logits
      if name != "service"
    ]
    found.append({"expression": expression, "judges": judges})
  return found


def fidelity(test: FaceSet, image: np.ndarray) -> dict:
  """PSNR (dB) and SSIM of uint8 images [N, S, S, 3] against the originals."""
  compare = jax.jit(lambda x, y: (metrics.psnr(x, y), metrics.ssim(x, y)))
  pairs = [
    jax.device_get(compare(x[None].astype(np.float32) / 255, y[None].astype(np.float32) / 255))
    for x, y in zip(test.image, image, strict=True)
  ]
  psnr, ssim = (np.concatenate([pair[i] for pair in pairs]).astype(np.float64) for i in range(2))
  return {"psnr": mean(psnr, test), "ssim": mean(ssim, test)}


def constant_answer(test: FaceSet, truth) -> dict:
  """Loss rate of a picture that always gave the service's most frequent answer: what a loss rate must beat."""
  return rate(truth != np.bincount(truth).argmax(), test)


def controls(methods: list[dict], constant: dict, test: FaceSet, *, varied: bool = True) -> dict:
  """Whether the report may be believed.

  `identity`, the unprotected image, must lose nothing. `blank`, one image for all, can only ever get one answer and
  must lose at least what the best constant answer loses. And where nearly all originals get one answer, no loss rate
  tells anything. A crop that reaches beyond its picture keeps its border, which differs from face to face: of those
  `blank` may get any number right.

  Args:
    methods: with `name` and `loss_rate`.
    constant: of `constant_answer`.
    test: the faces.
    varied: whether answers are to differ from face to face; whether a face is found, and where, does not in crops that
      were cut around found faces, and what is lost of it is known all the same.
  """
  bordered = float(np.mean(~test.mask.all((1, 2, 3))))
  rate_of = {method["name"]: method["loss_rate"] for method in methods}
  reasons = []
  if rate_of["identity"]["value"] != 0:
    reasons.append("the unprotected image changes the service's answer: originals and outputs are not compared alike")
  if rate_of["blank"]["value"] < constant["value"] - bordered - 1e-9:
    reasons.append("blank images lose less than any constant answer can: they carry something of the original")
  if varied and constant["value"] < 0.1:
    reasons.append("the service gives one answer for more than 90 % of the originals: no loss rate tells anything")
  return {"identity": rate_of["identity"], "blank": rate_of["blank"], "void": bool(reasons), "reasons": reasons}


def noise_floor(test: FaceSet, truth, answer) -> dict:
  """How often the service changes its own answer under JPEG quality 95, a shift by one pixel, and +-1 grey level."""
  random = np.random.default_rng(0)
  grey = test.image.astype(np.int16) + random.choice([-1, 1], test.image.shape).astype(np.int16)
  disturbed = {name: disturb(test.image) for name, disturb in floor.DISTURBANCES.items()}
  disturbed["grey1"] = np.clip(grey, 0, 255).astype(np.uint8)
  return {name: rate(answer(image)["service"].argmax(-1) != truth, test) for name, image in disturbed.items()}


def gap(test: FaceSet, truth, logits, judges: list[dict]) -> dict | None:
  """Independent minus in-loop loss rate, by the judge of expressions that differs most; None without one."""
  judges = [judge for judge in judges if logits[judge["name"]].shape[-1] > 1]
  if not judges:
    return None
  worst = max(judges, key=lambda judge: judge["service_answer"]["value"])["name"]
  difference = (logits[worst].argmax(-1) != truth).astype(np.float64) - (logits["service"].argmax(-1) != truth)
  found = intervals.bootstrap_by_identity((difference + 1) / 2, test.identity)
  low, high = 2 * found.low - 1, 2 * found.high - 1
  if np.ptp(difference) == 0:  # the bootstrap knows no spread: as far as one more kind of face could move it
    reach = intervals.wilson(0, len(np.unique(test.identity)) if (test.identity >= 0).all() else len(test)).high
    low, high = difference[0] - reach, difference[0] + reach
  return {
    "judge": worst,
    "value": float(difference.mean()),
    "n": found.n,
    "low": float(max(low, -1)),
    "high": float(min(high, 1)),
    "method": found.method,
  }


def softmax(logits: np.ndarray) -> np.ndarray:
  """Probabilities float64 [N, C]."""
  shifted = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
  return shifted / shifted.sum(-1, keepdims=True)
