"""The mean of other people's faces, each bent to one shape, and the mean bent to the shape of the face."""

import functools
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae import types
from qm_vae.deidentifiers import appearance, region
from qm_vae.errors import InputError
from qm_vae.faces import compositing, shape
from qm_vae.options import Option, integer, member, one_of


def warped_mean(params, face, key, *, k, context, light, classify, find_landmarks):
  """Replaces the face by a weighted mean of gallery faces in the same pose and with the same answer of the service.

  Half of the gallery, drawn by lot, is at hand. Of it the faces nearest in the service's probabilities, pose, and
  openness of eyes and mouth weigh most, but none more than 1/k. Their mean texture is bent onto the landmarks of the
  face, as far as the shape model can tell them.

  Args:
    params: see `appearance.prepare`; with "service" and "landmarker", parameters of the two functions below.
    face: Face with image [H, W, 3] float32 in [0, 1], mask [H, W, 1] in {0, 1}; its landmarks count where
      it has some, else its eyes [4] where `find_landmarks` is None. So does its answer where it has one.
    key: of the lot.
    k: no face of the gallery weighs more than 1/k.
    context: 'keep': outside the region from brow to chin the original; 'hide': the mean everywhere.
    light: one of compositing.LIGHTS, of the original, that the mean takes over.
    classify: (service parameters, image [H, W, 3]) -> logits [C]; None: every face has the same answer.
    find_landmarks: (landmarker parameters, image) -> [68, 2]; None: a plain frontal face on `face.eyes`.

  Returns:
    [H, W, 3] float32 in [0, 1]; outside the mask the input, bit for bit.

  Source: Gross et al. 2006, "Model-Based Face De-Identification" (k-Same-M), which averages active appearance models
  (Cootes et al. 2001) so that nothing ghosts; here the k are drawn by lot and weighed by what must stay.
  """
  shown = jnp.where(face.mask > 0, face.image, 0.0)
  landmarks = face.landmarks
  if landmarks is None:
    landmarks = find_landmarks(params["landmarker"], shown) if find_landmarks else shape.by_eyes(face.eyes)
  answer = jnp.zeros(1)
  if classify:
    answer = jax.nn.softmax(classify(params["service"], shown)) if face.answer is None else face.answer
  wanted = appearance.condition(answer, shape.descriptor(landmarks))
  texture = appearance.mean_texture(params, wanted, key, k)
  placed = appearance.place(params["shape"], texture, landmarks, face.image.shape[:2])
  if context == "keep":
    placed = compositing.composite(placed, shown, landmarks, light)
  else:
    weight = compositing.region(landmarks, face.image.shape[:2])
    eyes = shape.eyes_of(landmarks)
    placed = compositing.relight(placed, shown, weight, light, jnp.hypot(eyes[2] - eyes[0], eyes[3] - eyes[1]))
  return region.write_inside(face, placed)


@member(needs_gallery=True, needs_service=True, uses_landmarker=True, in_frames={"size": 128})
def make(
  *,
  k: Annotated[int, Option(integer(2), "no gallery face weighs more than 1/k")] = 10,
  context: Annotated[str, Option(one_of("keep", "hide"), "what lies outside the region from brow to chin")] = "keep",
  light: Annotated[str, Option(one_of(*compositing.LIGHTS), "of the original, that the mean takes over")] = "color",
  components: Annotated[int, Option(integer(1), "of the shape model; fewer leave less of a person's shape")] = 12,
  most: Annotated[int, Option(integer(8), "faces of the gallery that are used, evenly spaced")] = 1500,
  gallery: np.ndarray | None = None,
  identity: np.ndarray | None = None,
  eyes: np.ndarray | None = None,
  service: types.Service | None = None,
  landmarker: types.Landmarker | None = None,
) -> types.Deidentifier:
  """A weighted mean of gallery faces in the shape of the face.

  Args:
    k: see `warped_mean`.
    context: see `warped_mean`.
    light: see `warped_mean`.
    components: of the shape model, see `shape.fit`.
    most: faces that are used; of a larger gallery every so many.
    gallery: uint8 [N, S, S, 3], faces of other people; a run gives its training faces.
    identity: unused.
    eyes: float32 [N, 4], as in Face; needed without a landmarker.
    service: whose probabilities must be alike; None: any face may be averaged.
    landmarker: finds the landmarks of the gallery and of the face; None: only their eyes are known, so that poses and
      mouths of different faces do not fall on one another.

  Raises:
    ValueError: without a gallery, or with fewer than 4 k faces.
  """
  del identity
  if gallery is None or (landmarker is None and eyes is None):
    raise InputError(
      "warped_mean: gallery is None; give the faces to be averaged, as a run does with its training faces"
    )
  used = np.linspace(0, len(gallery) - 1, min(most, len(gallery))).astype(int)
  gallery, eyes = np.asarray(gallery)[used], None if eyes is None else np.asarray(eyes, np.float32)[used]
  if len(gallery) < appearance.FACES_PER_SHARE * k:
    raise InputError(
      f"warped_mean: k is {k}, but the gallery has {len(gallery)} faces; give at least "
      f"{appearance.FACES_PER_SHARE * k}, or lower k"
    )
  params: dict[str, Any] = appearance.prepare(gallery, eyes, service, landmarker, components)
  params |= {"service": service.params if service else (), "landmarker": landmarker.params if landmarker else ()}
  apply = functools.partial(
    warped_mean,
    k=k,
    context=context,
    light=light,
    classify=service.apply if service else None,
    find_landmarks=landmarker.apply if landmarker else None,
  )
  return types.Deidentifier(params, apply, () if landmarker else ("eyes",), keeps_context=context == "keep")
