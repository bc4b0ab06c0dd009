"""The embedder's task: what a face looks like to the network that is trained on."""

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae.data.augment import Augmentation
from qm_vae.training.tasks import embedder
from qm_vae.types import Embedder

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 8, 10, 3)).astype(np.uint8)
EYES = np.float32([[2, 3, 7, 4]] * 3)
BATCH = {"image": IMAGE, "eyes": EYES}


def test_embedder_eyes_go_mirrored_face():
  """Eyes go with a mirrored face."""
  # An "embedding" that shows what the network is given.
  show = Embedder({"params": {}}, lambda params, image, eyes: jnp.concatenate([image.reshape(3, -1), eyes], 1), "show")

  def seen(train, flip):
    trainable = embedder.adapt(show, Augmentation(flip=flip))
    given, _ = trainable.apply({}, {}, BATCH, jax.random.key(0), train=train)
    return np.rint(np.asarray(given[:, :-4]).reshape(IMAGE.shape) * 255), np.asarray(given[:, -4:])

  for train, flip in ((False, 1.0), (True, 0.0)):
    image, eyes = seen(train, flip)
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(eyes, EYES)
  image, eyes = seen(train=True, flip=1.0)
  np.testing.assert_array_equal(image, IMAGE[:, :, ::-1])
  # The eye at 7 of 10 is at 3, and is now the one at the left.
  np.testing.assert_array_equal(eyes, np.float32([[3, 4, 8, 3]] * 3))
