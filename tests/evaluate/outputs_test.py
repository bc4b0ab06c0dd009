"""What a generator gives away where its codes are shared by k people."""

import dataclasses
import types as python_types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae import types
from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.evaluate import outputs
from qm_vae.models import generator
from qm_vae.models.vqvae import Preset
from qm_vae.quantizers import QUANTIZERS
from qm_vae.training.state import State

SIZE, NUM = 16, 12
CONTROLS = {"identity": DEIDENTIFIERS["identity"]()}


def faces(identity):
  random = np.random.default_rng(0)
  count = len(identity)
  return types.FaceSet(
    image=random.integers(0, 256, (count, SIZE, SIZE, 3), np.uint8),
    mask=np.ones((count, SIZE, SIZE, 1), np.uint8),
    eyes=np.tile(np.float32([5, 6, 11, 6]), (count, 1)),
    box=np.zeros((count, 3), np.float32),
    identity=np.asarray(identity, np.int32),
    label=np.full(count, types.UNKNOWN, np.int32),
    index=np.arange(count, dtype=np.int32),
    name=tuple(map(str, range(count))),
    classes=(),
    identities=(),
    missed=(),
  )


@pytest.fixture(scope="module")
def trained():
  deid = {"mosaic": DEIDENTIFIERS["mosaic"]()}
  made = generator.make(
    tuple(deid.values()), Preset(8, 4, 1), 4, QUANTIZERS["vq"](num_codes=16, code_dim=4), jnp.float32,
    tokens=2, size=SIZE, condition="class", answers=3,
  )  # fmt: skip
  params = jax.random.normal(jax.random.key(1), (SIZE * SIZE * 3, 3))
  service = types.Service(params, lambda p, image: image.reshape(len(image), -1) @ p, ("a", "b", "c"))
  parts = python_types.SimpleNamespace(generator=made, views=deid, service=service, k_same=3)
  frozen = {"views": ((),), "service": params}
  experiment = python_types.SimpleNamespace(parts=parts, frozen=frozen, seed=0, batch_size=4)
  shown = faces(range(NUM))
  face = types.Face(shown.image / np.float32(255), shown.mask.astype(np.float32), shown.eyes)
  params, model_state = jax.jit(made.init)(jax.random.key(0), ((),), face)
  return experiment, State(jnp.int32(0), params, (), model_state)


def groups(images):
  """Numbers that are equal where pictures are."""
  return np.unique(images.reshape(len(images), -1), axis=0, return_inverse=True)[1].ravel()


def test_outputs_least_k_people_share_one(trained):
  """At least k people share one picture and all pictures of a person are it."""
  identity = [0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, types.UNKNOWN]
  made = outputs.make(*trained, CONTROLS, faces(identity))
  shared = groups(made.images["qm_vae"])
  assert shared[0] == shared[1] and shared[2] == shared[3]
  people = np.array([*identity[:-1], -9])
  assert all(len(set(people[shared == group])) >= 3 for group in set(shared))
  assert all((made.codes[shared == group] == made.codes[shared == group][0]).all() for group in set(shared))
  assert len(set(groups(made.images["mosaic"]))) == NUM  # the views stay what they are


def test_outputs_groups_not_cross_closed_sets(trained):
  """Groups do not cross closed sets and small sets are refused."""
  sets = np.array([0] * 5 + [1] * 7)
  shared = groups(outputs.make(*trained, CONTROLS, faces(range(NUM)), sets).images["qm_vae"])
  assert not set(shared[:5]) & set(shared[5:])
  with pytest.raises(ValueError, match="k-same needs k from 1 to the number of people, 2"):
    outputs.make(*trained, CONTROLS, faces(range(NUM)), np.array([0] * 10 + [1] * 2))


def test_outputs_asking_says_read(trained):
  """Asking says what is read."""
  experiment, state = trained
  always_second = lambda images: {"service": np.tile([0.0, 1.0, 0.0], (len(images), 1))}
  found = outputs.asked(experiment, state, dataclasses.replace(faces(range(5))), always_second)
  assert [row["read"]["service"] for row in found["rows"]] == [0.0, 1.0, 0.0]
  assert [row["expression"] for row in found["rows"]] == ["a", "b", "c"] and found["rows"][0]["n"] == 5
