"""Gradients of a black box from its answers alone: an oracle for a student's gradient, and a baseline without one."""

from collections.abc import Callable

import numpy as np

from qm_vae.errors import InputError


def low_frequencies(size: int, per_axis: int, channels: int = 3) -> np.ndarray:
  """A latent of few dimensions for changes of a picture: cosines of low frequency, orthonormal.

  Args:
    size: side of the picture, pixels.
    per_axis: frequencies along each axis, 1 (constant) to size.
    channels: of the picture.

  Returns:
    float64 [per_axis * per_axis * channels, size, size, channels]; the rows are orthonormal.
  """
  place, frequency = np.arange(size) + 0.5, np.arange(per_axis)
  cosines = np.cos(np.pi * np.outer(frequency, place) / size)
  cosines /= np.linalg.norm(cosines, axis=1, keepdims=True)
  basis = np.einsum("uy,vx,cd->uvcyxd", cosines, cosines, np.eye(channels))
  return basis.reshape(-1, size, size, channels)


def gradient(
  score: Callable[[np.ndarray], np.ndarray],
  latent: np.ndarray,
  random: np.random.Generator,
  *,
  directions: int,
  radius: float,
) -> np.ndarray:
  """The gradient of `score`, smoothed over `radius`, from pairs of opposite steps.

  Args:
    score: [m, d] -> [m], of any service, with or without a gradient; called once, with 2 * directions rows.
    latent: [d], where the gradient is wanted.
    random: draws the directions.
    directions: K; the squared error falls with d / K.
    radius: standard deviation of a step in each dimension, > 0; hard labels want one that crosses their borders.

  Returns:
    float64 [d]: of a linear score its own gradient, up to the draw. Its expectation is the gradient of the score's mean
    over a Gaussian of that radius.

  Source: Nesterov and Spokoiny 2017, Eq. (26), with the antithetic pairs of Salimans et al. 2017.
  """
  if directions < 1 or not radius > 0:
    raise InputError(f"directions is {directions} and radius {radius}; give at least 1 and above 0")
  steps = random.standard_normal((directions, len(latent)))
  scores = np.asarray(score(np.concatenate([latent + radius * steps, latent - radius * steps])), np.float64)
  return (scores[:directions] - scores[directions:]) @ steps / (2 * radius * directions)


def descend(
  score: Callable[[np.ndarray], np.ndarray],
  latent: np.ndarray,
  random: np.random.Generator,
  *,
  steps: int,
  rate: float,
  directions: int,
  radius: float,
) -> np.ndarray:
  """The latent [d] after `steps` steps of size `rate` down the estimated gradient, 2 * directions questions each."""
  latent = np.array(latent, np.float64)
  for _ in range(steps):
    latent -= rate * gradient(score, latent, random, directions=directions, radius=radius)
  return latent
