"""What a service answers on the faces of a video, the same from frame to frame unless the face changes."""

import copy
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae import types
from qm_vae.deidentify.tracking.averaging import Averager
from qm_vae.errors import InputError

TIME_CONSTANT = 0.15
"""Seconds, of the average over time. Expressions last half a second to four (Ekman 2003, "Emotions Revealed"); one of
less than 2 ln 2 of these, 0.2 s, stays below one half in every frame."""


class Answers:
  """A service's probabilities on each track's faces, averaged over the time around each frame."""

  def __init__(self, service: types.Service, together: int):
    """Compiles at the first face; `together` faces are asked about at a time."""
    self._params, self._together = jax.device_put(service.params), together
    self._ask = jax.jit(
      lambda params, image: jax.nn.softmax(service.apply(params, image.astype(jnp.float32) / 255).astype(jnp.float32))
    )
    self._averager = Averager(TIME_CONSTANT)

  def anew(self) -> "Answers":
    """The same for another video, of whose tracks nothing is known."""
    own = copy.copy(self)
    own._averager = Averager(TIME_CONSTANT)
    return own

  @property
  def reach(self) -> float:
    """Seconds that a frame's answers depend on after it."""
    return self._averager.reach

  def add(self, images: np.ndarray, tracks: Sequence[int], times: Sequence[float]) -> None:
    """Asks about faces that nobody asked about yet.

    Args:
      images: uint8 [N, S, S, 3], crops as the method gets them.
      tracks: their tracks [N].
      times: of their frames [N], seconds of the video.

    Raises:
      ValueError: where an answer is not finite: the service is damaged. Nothing of that call is kept.
    """
    new = [i for i, at in enumerate(zip(tracks, times, strict=True)) if not self._averager.knows(*at)]
    found = []
    for start in range(0, len(new), self._together):
      chunk = images[new[start : start + self._together]]
      filled = np.zeros((self._together, *chunk.shape[1:]), np.uint8)
      filled[: len(chunk)] = chunk
      found.extend(np.asarray(self._ask(self._params, filled))[: len(chunk)])
    if not np.isfinite(found).all():
      raise InputError("the service answers with numbers that are not finite; its network is damaged")
    for i, one in zip(new, found, strict=True):
      self._averager.add(tracks[i], times[i], one)

  def __call__(self, images: np.ndarray, tracks: Sequence[int], times: Sequence[float]) -> np.ndarray:
    """The probabilities float32 [N, C] that the method is told, of the arguments of `add`; raises as that does."""
    self.add(images, tracks, times)
    self._averager.forget(min(times))
    return np.stack([self._averager.at(*at) for at in zip(tracks, times, strict=True)]).astype(np.float32)
