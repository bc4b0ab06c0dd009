"""Searches that several threads ask for at the same time, run as one batch: what a graphics card wants."""

import threading
from collections.abc import Callable

import numpy as np

MOST = 8
"""Pictures of a batch; as many frames are looked at together."""


class _Request:
  def __init__(self, x):
    self.x = x
    self.answer: list[np.ndarray] | None = None
    self.error: Exception | None = None


class Batched:
  """A network that is called with single pictures, and runs those that wait together."""

  def __init__(self, run: Callable[[np.ndarray], list[np.ndarray]], most: int = MOST):
    """Takes the network: x [B, ...] -> outputs [B, ...]; no more than `most` pictures go through it at a time."""
    self._run, self._most = run, most
    self._waiting: list[_Request] = []
    self._list, self._turn = threading.Lock(), threading.Lock()

  def __call__(self, x: np.ndarray) -> list[np.ndarray]:
    """The outputs [1, ...] for x [1, ...]; raises what the network raises for the batch that it was in."""
    request = _Request(x)
    with self._list:
      self._waiting.append(request)
    with self._turn:  # while one batch runs, the next one gathers
      if request.answer is None and request.error is None:
        self._lead(request)
    if request.error is not None:
      raise request.error
    return request.answer or []

  def _lead(self, request):
    """Runs a batch of the request and of others of its shape."""
    with self._list:
      others = [one for one in self._waiting if one is not request and one.x.shape == request.x.shape]
      batch = [request, *others[: self._most - 1]]
      self._waiting = [one for one in self._waiting if one not in batch]
    try:
      found = self._run(np.concatenate([one.x for one in batch]))
      for i, one in enumerate(batch):
        one.answer = [output[i : i + 1] for output in found]
    except Exception as error:  # each of them tells its own caller
      for one in batch:
        one.error = error
