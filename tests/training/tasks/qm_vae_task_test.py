"""The paper's task: what trains, what is frozen, what is judged."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from qm_vae.data.augment import Augmentation, augment_face
from qm_vae.deidentifiers import DEIDENTIFIERS
from qm_vae.losses import TERMS
from qm_vae.losses import qm_vae as losses
from qm_vae.models import generator
from qm_vae.models.vqvae import Preset
from qm_vae.quantizers import QUANTIZERS
from qm_vae.training.tasks import qm_vae
from qm_vae.types import Face, Service

SIZE = 16
TINY = Preset(hidden=8, residual_hidden=4, residual_blocks=1)
KEY = jax.random.key(0)
CLASSES = ("happy", "sad", "neutral")
PRIVATE = {"tokens": 2, "size": SIZE, "condition": "class", "answers": len(CLASSES)}
TERM_OPTIONS = {"smoothness": (), "discriminator": (SIZE, 4)}
PAST = ("smoothness", "discriminator")


def linear_service(seed):
  params = jax.random.normal(jax.random.key(seed), (SIZE * SIZE * 3, len(CLASSES))) * 0.3
  return Service(params, lambda p, image: (image - 0.5).reshape(*image.shape[:-3], -1) @ p, CLASSES)


@functools.cache  # one task, one compilation
def make(service_loss="cross_entropy", views=("mosaic", "laplace"), quantizer="vq", past=(), **kwargs):
  deid = tuple(DEIDENTIFIERS[name]() for name in views)
  if quantizer == "vq":
    made, dim = QUANTIZERS["vq"](num_codes=16, code_dim=4, **kwargs), 4
  else:
    made, dim = QUANTIZERS["fsq"](levels=(4, 4, 4)), 3
  service, judge = linear_service(1), linear_service(2)
  task = qm_vae.make(
    generator.make(deid, TINY, dim, made, jnp.float32, **(PRIVATE if past else {})),
    service,
    {"second": judge},
    optax.adam(1e-2),
    service_loss=service_loss,
    augment_faces=Augmentation(flip=0.5, contrast=0.1),
    augment_before_service=Augmentation(shift=0.1),
    asking=qm_vae.Asking(drop=0.5, other=0.5) if past else qm_vae.Asking(),
    picture=qm_vae.Picture(DEIDENTIFIERS["blur"](), outside_face=True) if past else qm_vae.Picture(),
    terms={name: TERMS[name](*TERM_OPTIONS[name]) for name in past},
  )
  frozen = {"views": tuple(d.params for d in deid), "service": service.params, "judges": {"second": judge.params}}
  frozen |= {"terms": {"smoothness": (), "discriminator": ()}, "target": ()}
  return task, frozen


def batch(num=6, padded=0):
  random = np.random.default_rng(0)
  mask = np.ones(num, np.float32)
  mask[num - padded :] = 0
  return {
    "image": random.integers(0, 256, (num, SIZE, SIZE, 3), np.uint8),
    "mask": np.ones((num, SIZE, SIZE, 1), np.uint8),
    "eyes": np.tile(np.float32([5, 6, 11, 6]), (num, 1)),
    "identity": np.arange(num, dtype=np.int32),
    "label": np.full(num, -1, np.int32),
    "_mask": mask,
  }


def weights(alpha=0.4, service=1.0, **terms):
  terms = {name: jnp.float32(weight) for name, weight in terms.items()}
  return losses.LossWeights(jnp.float32(alpha), jnp.float32(0.25), jnp.float32(service), terms)


def start(task, frozen):
  return jax.jit(task.init)(KEY, frozen, batch())


def after(task, frozen, state, *, steps=1, **kwargs):
  step = jax.jit(task.step)
  for i in range(steps):
    state, terms = step(state, frozen, batch(), weights(**kwargs), jax.random.fold_in(KEY, i))
  return state, terms


@pytest.mark.parametrize(
  ("quantizer", "kwargs"),
  [
    ("vq", {}),
    pytest.param("vq", {"codebook": "gradient"}, marks=pytest.mark.slow),
    pytest.param("fsq", {}, marks=pytest.mark.slow),
  ],
  ids=["ema", "gradient", "fsq"],
)
def test_qm_vae_training_lowers_loss_every_quantizer(quantizer, kwargs):
  """Training lowers the loss with every quantizer."""
  task, frozen = make(quantizer=quantizer, **kwargs)
  state = start(task, frozen)
  first = after(task, frozen, state, alpha=0.0)[1]
  last = after(task, frozen, state, steps=40, alpha=0.0)[1]
  assert set(first) == {"loss", "service", "mse", "codebook", "commitment", "loss_rate_augmented", "code_counts"}
  assert all(first[name].shape == (6,) for name in first if name != "code_counts")
  assert float(last["loss"].mean()) < float(first["loss"].mean())


def test_qm_vae_loss_equation_7():
  """The loss is equation 7."""
  task, frozen = make(codebook="gradient")
  state = start(task, frozen)
  terms = after(task, frozen, state, alpha=0.3)[1]
  expected = 0.3 * terms["service"] + 0.7 * terms["mse"] + terms["codebook"] + 0.25 * terms["commitment"]
  np.testing.assert_allclose(terms["loss"], expected, rtol=1e-6)  # four float32 operations


@pytest.mark.slow  # losses_test has the same of the loss alone
def test_qm_vae_literal_service_loss_trains_nothing():
  """The literal service loss trains nothing."""
  task, frozen = make("literal")
  state = start(task, frozen)
  with_service = after(task, frozen, state, service=1.0)[0]
  without = after(task, frozen, state, service=0.0)[0]
  chex.assert_trees_all_equal(with_service.params, without.params)
  surrogate, frozen = make("cross_entropy")
  moved = jax.tree.map(
    lambda a, b: bool((a != b).any()),
    after(surrogate, frozen, state, service=1.0)[0].params["decoder"],
    after(surrogate, frozen, state, service=0.0)[0].params["decoder"],
  )
  assert any(jax.tree.leaves(moved))


def test_qm_vae_judges_never_touch_training():
  """Judges never touch training."""
  task, frozen = make()
  state = start(task, frozen)
  other = frozen | {"judges": {"second": -frozen["judges"]["second"]}}
  one, two = (jax.tree.leaves(after(task, judged, state)[0].params) for judged in (frozen, other))
  for a, b in zip(one, two, strict=True):
    np.testing.assert_array_equal(a, b)


def test_qm_vae_frozen_weights_stay_bit_bit():
  """Frozen weights stay bit for bit and outside the state."""
  task, frozen = make()
  before = jax.tree.map(np.array, frozen)
  state = after(task, frozen, start(task, frozen), steps=3)[0]
  chex.assert_trees_all_equal(before, frozen)
  frozen_shapes = {leaf.shape for leaf in jax.tree.leaves(frozen)}
  assert not frozen_shapes & {leaf.shape for leaf in jax.tree.leaves(state)}


def test_qm_vae_evaluation_equation_8_service_judge():
  """Evaluation is equation 8 for service and judge."""
  task, frozen = make()
  state = start(task, frozen)
  terms = jax.jit(task.evaluate)(state, frozen, batch(padded=2), KEY)
  assert set(terms) == {"loss_rate", "mse", "judges/second", "code_counts"}
  assert set(np.unique(terms["loss_rate"])) <= {0.0, 1.0}
  assert float(terms["code_counts"].sum()) == 4 * (SIZE // 4) ** 2  # padding chooses no code
  image = jnp.asarray(batch()["image"]) / 255.0
  pictures = jax.jit(task.pictures)(state, frozen, batch(padded=2), KEY)
  assert pictures.shape == (6 * SIZE, 4 * SIZE, 3)  # a row per face: original, two views, output
  output = pictures.reshape(6, SIZE, 4, SIZE, 3)[:, :, -1]
  service = linear_service(1)
  answer, kept = (service.apply(service.params, x).argmax(-1) for x in (image, output))
  np.testing.assert_array_equal(terms["loss_rate"], answer != kept)


def test_qm_vae_mirrored_face_takes_eyes_mask():
  """A mirrored face takes its eyes and mask along."""
  image = jnp.asarray(batch(1)["image"]) / 255.0
  mask = jnp.zeros((1, SIZE, SIZE, 1)).at[:, :, :3].set(1)
  face = Face(image, mask, jnp.array([[5.0, 6.0, 11.0, 7.0]]))
  mirrored = augment_face(face, KEY, Augmentation(flip=1.0))
  np.testing.assert_array_equal(mirrored.image, image[:, :, ::-1])
  np.testing.assert_array_equal(mirrored.mask, mask[:, :, ::-1])
  np.testing.assert_array_equal(mirrored.eyes, [[5.0, 7.0, 11.0, 6.0]])
  same = augment_face(face, KEY, Augmentation())
  chex.assert_trees_all_equal(same, face)


def test_qm_vae_every_example_step_draws_own():
  """Every example and step draws its own noise."""
  deid = (DEIDENTIFIERS["laplace"](),)
  face = Face(jnp.full((2, SIZE, SIZE, 3), 0.5), jnp.ones((2, SIZE, SIZE, 1)), jnp.zeros((2, 4)))
  one, two = (generator.make_views(deid, ((),), face, jax.random.key(i)) for i in (0, 1))
  assert bool((one[0] != one[1]).any()) and bool((one != two).any())


@pytest.mark.slow
def test_qm_vae_past_paper_every_part_trained():
  """Past the paper every part is trained by its own loss."""
  task, frozen = make(past=PAST)
  first = start(task, frozen)
  state, terms = after(task, frozen, first, smoothness=0.1, discriminator=0.1)
  assert set(state.params) == {"encoder", "quantizer", "decoder", "terms"}
  assert all(terms[name].shape == (6,) for name in ("smoothness", "discriminator", "discriminator_learns"))
  moved = jax.tree.map(lambda a, b: bool((a != b).any()), first.params["terms"], state.params["terms"])
  assert all(jax.tree.leaves(moved)) and list(state.params["terms"]) == ["discriminator"]
  # The discriminator is paid by what it learns alone: its step does not depend on what the generator pays for it.
  other, _ = after(task, frozen, first, smoothness=0.0, discriminator=5.0)
  chex.assert_trees_all_equal(state.params["terms"], other.params["terms"])
  changed = jax.tree.map(lambda a, b: bool((a != b).any()), state.params["decoder"], other.params["decoder"])
  assert any(jax.tree.leaves(changed))


def test_qm_vae_condition_reaches_picture_not_codes():
  """A condition reaches the picture and not the codes."""
  deid = (DEIDENTIFIERS["mosaic"](),)
  made = generator.make(deid, TINY, 4, QUANTIZERS["vq"](num_codes=16, code_dim=4), jnp.float32, **PRIVATE)
  face = Face(jnp.asarray(batch()["image"]) / 255.0, jnp.ones((6, SIZE, SIZE, 1)), jnp.asarray(batch()["eyes"]))
  params, model_state = jax.jit(made.init)(KEY, ((),), face)
  run = jax.jit(lambda answer: made.apply(params, model_state, ((),), face, KEY, train=False, answer=answer))
  unknown, happy, sad = run(jnp.zeros((6, 3))), run(jnp.eye(3)[jnp.zeros(6, int)]), run(jnp.eye(3)[jnp.ones(6, int)])
  assert unknown.quantized.ids.shape == (6, 2, 1) and unknown.image.shape == (6, SIZE, SIZE, 3)
  assert all(np.abs(a.image - b.image).max() > 1e-4 for a, b in ((unknown, happy), (happy, sad)))
  np.testing.assert_array_equal(happy.quantized.ids, sad.quantized.ids)  # codes do not hang on the answer


def test_qm_vae_release_replaces_codes_outside_training():
  """A release replaces the codes outside training alone."""
  deid = (DEIDENTIFIERS["mosaic"](),)
  release = lambda key, z_e, codes, ids: jnp.full_like(ids, 3)
  vq = QUANTIZERS["vq"](num_codes=16, code_dim=4)
  made = generator.make(deid, TINY, 4, vq, jnp.float32, release=release)
  face = Face(jnp.asarray(batch()["image"]) / 255.0, jnp.ones((6, SIZE, SIZE, 1)), jnp.asarray(batch()["eyes"]))
  params, model_state = jax.jit(made.init)(KEY, ((),), face)
  run = jax.jit(lambda train: made.apply(params, model_state, ((),), face, KEY, train=train), static_argnums=0)
  given, own = run(False), run(True)
  assert (given.quantized.ids == 3).all() and not (own.quantized.ids == 3).all()
  decoded = jax.jit(made.decode)(params, model_state, given.quantized.ids, None)
  np.testing.assert_allclose(given.image, decoded, atol=1e-6)  # compiled apart
