"""The mean of a group of k faces in the place of a face."""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae import types
from qm_vae.deidentifiers import region
from qm_vae.errors import InputError
from qm_vae.options import Option, integer, member


def k_same(params, face, key):
  """Replaces the region by the mean face of the group that is most like it.

  Two faces nearest to the same group come out alike, bit for bit where their masks are.

  Args:
    params: [G, S, S, 3] float32 in [0, 1], the groups' means, see `group`.
    face: Face with image [H, W, 3] float32 in [0, 1] and mask [H, W, 1] in {0, 1}.
    key: unused; every de-identifier is called alike.

  Returns:
    [H, W, 3] float32 in [0, 1]; outside the mask the input, bit for bit.

  Source: Newton et al. 2005, "Preserving Privacy by De-identifying Face Images", k-Same-Pixel; for a face that is not
  in the gallery the nearest group stands in for its own.
  """
  del key
  height, width = face.image.shape[:2]
  inside = (face.mask > 0).astype(jnp.float32)
  means = jax.image.resize(params, (len(params), height, width, 3), "linear")
  distance = jnp.sum(jnp.square(means - jnp.where(face.mask > 0, face.image, 0.0)) * inside, (1, 2, 3))
  return region.write_inside(face, means[jnp.argmin(distance)])


def group(gallery: np.ndarray, k: int) -> np.ndarray:
  """Mean pictures of disjoint groups of k faces each that are alike.

  The first face that is left over takes the k - 1 nearest to it; when fewer than 2 k are left, they are one group.

  Args:
    gallery: uint8 [N, S, S, 3], one face of each person, N >= k.
    k: faces of a group, at least 2.

  Returns:
    [N // k, S, S, 3] float32 in [0, 1].

  Source: Newton et al. 2005, Sec. 3.
  """
  flat = gallery.reshape(len(gallery), -1).astype(np.float32) / 255
  left, means = np.arange(len(gallery)), []
  while len(left):
    size = k if len(left) >= 2 * k else len(left)
    distance = np.square(flat[left] - flat[left[0]]).sum(-1)
    nearest = np.argsort(distance, kind="stable")[:size]  # the face itself, at distance 0, among them
    means.append(flat[left[nearest]].mean(0))
    left = np.delete(left, nearest)
  return np.stack(means).reshape(-1, *gallery.shape[1:])


@member(needs_gallery=True)
def make(
  *,
  k: Annotated[int, Option(integer(2), "people of a group")] = 10,
  gallery: np.ndarray | None = None,
  identity: np.ndarray | None = None,
  eyes: np.ndarray | None = None,
) -> types.Deidentifier:
  """Means of k people of a gallery.

  Args:
    k: people of a group.
    gallery: uint8 [N, S, S, 3], the faces to be averaged; a run gives its training faces.
    identity: int [N] of the faces, of which each person's first is taken; below 0 unknown, and then a person of its
      own. None where nobody is known.
    eyes: unused here; galleries come with them.

  Raises:
    ValueError: unless k is an integer >= 2 and the gallery has as many people.
  """
  del eyes
  if gallery is None:
    raise InputError("k_same: gallery is None; give the faces to be averaged, as a run does with its training faces")
  if identity is not None:
    _, first = np.unique(identity, return_index=True)
    gallery = gallery[np.union1d(first[np.asarray(identity)[first] >= 0], np.flatnonzero(np.asarray(identity) < 0))]
  if len(gallery) < k:
    raise InputError(f"k_same: k is {k}, but the gallery shows {len(gallery)} people; lower k or give more faces")
  return types.Deidentifier(group(gallery, int(k)), k_same)
