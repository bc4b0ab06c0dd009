"""Every listed term: its shape, its gradients, and what it is worth on pictures whose price is known."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae.losses import TERMS, LossInputs, qm_vae
from qm_vae.models.adversaries import Listener
from qm_vae.types import Embedder, Face, Service

SIZE, NUM, CLASSES = 16, 5, 3
KEY = jax.random.key(0)
FLAT = SIZE * SIZE * 3


def embedder(seed):
  def apply(params, image, eyes):
    x = (image - 0.5).reshape(len(image), -1) @ params + 0 * eyes.sum()
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)

  return Embedder(jax.random.normal(jax.random.key(seed), (FLAT, 6)), apply, str(seed))


def service(seed):
  params = jax.random.normal(jax.random.key(seed), (FLAT, CLASSES)) * 0.1
  return Service(params, lambda p, image: (image - 0.5).reshape(len(image), -1) @ p, ("a", "b", "c"))


@functools.cache
def make(name):
  made = {
    "ensemble": lambda: TERMS["ensemble"]({"one": service(1), "two": service(2)}, "cross_entropy"),
    "smoothness": lambda: TERMS["smoothness"](),
    "perceptual": lambda: TERMS["perceptual"](lambda p, image: [p * image, image[:, ::2] - 0.5], jnp.float32(2.0)),
    "discriminator": lambda: TERMS["discriminator"](SIZE, 4),
    "identity": lambda: TERMS["identity"]({"one": embedder(1), "two": embedder(2)}, 0.1),
    "parrot": lambda: TERMS["parrot"](embedder(1), SIZE, 3),
  }
  return made[name]()


def inputs(seed=1, padded=1, **changed):
  image, output, target = (
    jax.random.uniform(jax.random.key(i), shape)
    for i, shape in ((0, (NUM, SIZE, SIZE, 3)), (seed, (NUM, SIZE, SIZE, 3)), (3, (NUM, CLASSES)))
  )
  face = Face(image, jnp.ones((NUM, SIZE, SIZE, 1)), jnp.tile(jnp.array([5.0, 6.0, 11.0, 6.0]), (NUM, 1)))
  mask = jnp.ones(NUM).at[NUM - padded :].set(0)
  return LossInputs(face, output, output, target, mask)._replace(**changed)


SLOW = {"parrot"}  # its two networks compile longest


@pytest.mark.parametrize(
  "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in TERMS.names()]
)
def test_term_contract(name):
  """Contract."""
  term = make(name)
  params = term.init(KEY)
  shown = inputs()

  def pays(params, frozen, image):
    return jnp.sum(term.loss(params, frozen, shown._replace(image=image, seen=image), KEY)[: NUM - 1])

  price = term.loss(params, term.frozen, shown, KEY)
  assert price.shape == (NUM,) and price.dtype == jnp.float32
  assert np.isfinite(price[: NUM - 1]).all() and (price[: NUM - 1] >= 0).all()
  to_image = jax.grad(pays, 2)(params, term.frozen, shown.image)
  assert np.isfinite(to_image).all()
  assert (term.learn is None) == (not jax.tree.leaves(params))
  if name not in ("identity", "parrot"):  # a hinge may be satisfied at once
    assert (np.abs(to_image[: NUM - 1]).sum((1, 2, 3)) > 0).all()
  if term.learn:
    learned = term.learn(params, term.frozen, shown, KEY)
    assert learned.shape == (NUM,)
    gradient = jax.grad(lambda image: jnp.sum(term.learn(params, term.frozen, shown._replace(image=image), KEY)))
    np.testing.assert_array_equal(gradient(shown.image), 0)  # what it learns does not move the picture


def test_term_every_example_pays_itself_alone():
  """Every example pays for itself alone."""
  for name in ("smoothness", "perceptual", "discriminator", "identity", "ensemble"):
    term, shown = make(name), inputs(seed=0)  # the output is the original, so that the hinge holds nothing back
    params = term.init(KEY)
    changed = shown._replace(image=shown.image.at[1].set(0.3), seen=shown.seen.at[1].set(0.3))
    one, two = (np.asarray(term.loss(params, term.frozen, s, KEY)) for s in (shown, changed))
    np.testing.assert_allclose(
      np.delete(one, 1), np.delete(two, 1), rtol=1e-5, atol=1e-6
    )  # float32 sums in another order  # the same arithmetic, refused
    assert one[1] != two[1], name


def test_term_prices_known():
  """Prices that are known."""
  same = inputs(seed=0)
  assert np.abs(make("perceptual").loss((), make("perceptual").frozen, same, KEY)).max() == 0
  np.testing.assert_allclose(make("identity").loss((), make("identity").frozen, same, KEY), 0.9, atol=1e-6)  # 1 - 0.1
  flat = inputs(image=jnp.full((NUM, SIZE, SIZE, 3), 0.4))
  np.testing.assert_allclose(make("smoothness").loss((), (), flat, KEY), 0, atol=1e-8)
  steps = jnp.tile(jnp.arange(SIZE) % 2 * 1.0, (NUM, SIZE, 1))[..., None] * jnp.ones(3)
  found = make("smoothness").loss((), (), inputs(image=steps), KEY)
  np.testing.assert_allclose(found, math.hypot(1, 0.01) - 0.01, rtol=1e-5)  # of float32 sums
  one, two = service(1), service(2)
  shown = inputs()
  expected = [qm_vae.service_loss("cross_entropy", shown.target, s.apply(s.params, shown.seen)) for s in (one, two)]
  np.testing.assert_allclose(
    make("ensemble").loss((), make("ensemble").frozen, shown, KEY), np.mean(expected, 0), rtol=1e-6
  )


@pytest.mark.slow
def test_term_parrot_never_paid_more_learns():
  """The parrot is never paid more than who is who and learns who it is."""
  term, shown = make("parrot"), inputs(seed=0)  # the output is the original: everything is there to be heard
  params = term.init(KEY)

  @jax.jit
  def step(params):
    learn = lambda p: jnp.sum(term.learn(p, term.frozen, shown, KEY) * shown.mask)
    return jax.tree.map(lambda p, g: p - 0.02 * g, params, jax.grad(learn)(params))

  before = term.loss(params, term.frozen, shown, KEY)[: NUM - 1]
  for _ in range(60):
    params = step(params)
  after = term.loss(params, term.frozen, shown, KEY)[: NUM - 1]
  assert after.mean() > before.mean() + 0.1
  assert after.max() <= math.log(NUM - 1) + 1e-5  # log B nats tell who of B it is; the padded one is not among them


def test_term_listener_points_somewhere():
  """A listener points somewhere."""
  network = Listener(7)
  heard = network.apply(network.init(KEY, jnp.zeros((1, SIZE, SIZE, 3))), inputs().image)
  np.testing.assert_allclose(np.linalg.norm(heard, axis=-1), 1, rtol=1e-5)


def test_discriminator_adaptive_gradient_is_as_long_as_that_of_the_mse():
  """Image by image, the adaptive term's gradient has the length of the MSE's."""
  term = TERMS["discriminator"](SIZE, 4, adaptive=True)
  params, shown = term.init(KEY), inputs()
  pays = lambda image: jnp.sum(term.loss(params, (), shown._replace(image=image), KEY))
  mse = lambda image: jnp.sum(jnp.mean(jnp.square(image - shown.face.image), (1, 2, 3)))
  length = lambda f: jnp.sqrt(jnp.sum(jnp.square(jax.grad(f)(shown.image)), (1, 2, 3)))
  np.testing.assert_allclose(length(pays), length(mse), rtol=1e-3)  # float32, and 1e-8 against division by zero
