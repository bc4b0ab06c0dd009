"""Whether what a service answered is what was agreed."""

import reprlib

import numpy as np

from qm_vae.errors import InputError
from qm_vae.services.answers import Quality


def validated(quality: Quality, answers, count: int) -> np.ndarray:
  """The answers to `count` images as float32 [count, names].

  Args:
    quality: what was asked for.
    answers: for classes labels [count], by name or number, or probabilities; for attributes probabilities, or 0 and 1;
      for values numbers, None or NaN throughout where there is nothing to tell.
    count: images that were sent.

  Raises:
    ValueError: telling what came and what was agreed.
  """
  names = quality.names
  if quality.kind == "classes" and _is_flat(answers):
    answers = _one_hot(answers, names)
  try:
    found = np.array(
      [[np.nan if one is None else one for one in (() if row is None else row)] for row in _rows(quality, answers)],
      np.float32,
    )
  except (TypeError, ValueError, OverflowError, RecursionError):  # an integer of 400 digits is no float
    found = np.zeros(0)
  if found.shape != (count, len(names)):
    raise InputError(
      f"it answered {np.shape(found) if found.size else reprlib.repr(answers)[:80]} to {count} images; expected "
      f"{count} x {len(names)} numbers ({', '.join(names)[:80]})"
      + (f", or {count} labels" if quality.kind == "classes" else "")
    )
  is_known = np.isfinite(found)
  if quality.kind == "values":
    if (is_known.any(1) != is_known.all(1)).any():
      raise InputError("it gave some of an image's values and not others; it must give all of them or none")
    return found
  bad = ~is_known.all(1) | (found < -1e-3).any(1) | (found > 1 + 1e-3).any(1)
  if quality.kind == "classes":
    bad |= np.abs(found.sum(1) - 1) > 1e-2
  if bad.any():
    raise InputError(
      f"it answered {found[bad.argmax()].tolist()}, which are no probabilities"
      + (" that sum to 1; of logits take the softmax first" if quality.kind == "classes" else "")
    )
  return np.clip(found, 0, 1)


def _is_flat(answers):
  try:
    return np.ndim(answers) == 1
  except ValueError:  # rows of several lengths
    return False


def _rows(quality, answers):
  # Values of one name may come as plain numbers, and None alone where there is nothing to tell.
  nothing = [None] * len(quality.names) if quality.kind == "values" else None
  return [nothing if row is None else row if np.ndim(row) else [row] for row in answers]


def _one_hot(labels, names):
  numbers = []
  for label in labels:
    if isinstance(label, str) and label in names:
      numbers.append(names.index(label))
    elif isinstance(label, int | np.integer) and not isinstance(label, bool) and 0 <= label < len(names):
      numbers.append(int(label))
    else:
      raise InputError(
        f"it answered the label {reprlib.repr(label)}; expected one of {', '.join(names)}, or 0 to {len(names) - 1}"
      )
  return np.eye(len(names), dtype=np.float32)[numbers]
