"""Kinds of answers: when they are the same, and what lowers their difference; against NumPy and by descent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae.services import answers as qualities
from qm_vae.services.answers import Quality

CLASSES = Quality("classes", ("a", "b", "c"))
ATTRIBUTES = Quality("attributes", ("a", "b"))
VALUES = Quality("values", ("x", "y"), (0.1, 10.0))
ALL = pytest.mark.parametrize("quality", [CLASSES, ATTRIBUTES, VALUES], ids=lambda q: q.kind)


def test_answers_lost_hand():
  """Lost by hand."""
  one, other = np.array([[0.5, 0.3, 0.2]] * 2), np.array([[0.4, 0.35, 0.25], [0, 0, 1]])
  np.testing.assert_array_equal(qualities.lost(CLASSES, one, other), [0, 1])
  one, other = np.array([[1.0, 0.0]] * 3), np.array([[0.6, 0.4], [0.6, 0.6], [0, 1]])
  np.testing.assert_array_equal(qualities.lost(ATTRIBUTES, one, other), [0, 0.5, 1])
  answers = np.array([[0.5, 100], [0.59, 109], [0.61, 100], [0.5, 111], [np.nan] * 2, [np.nan] * 2])
  others = np.array([[0.5, 100]] * 5 + [[np.nan] * 2])
  answers, others = (jnp.asarray(qualities.to_target(VALUES, one)) for one in (answers, others))
  assert bool(jnp.isfinite(answers).all())
  np.testing.assert_array_equal(qualities.lost(VALUES, answers, others), [0, 0, 1, 1, 1, 0])
  np.testing.assert_array_equal(qualities.lost(VALUES, others, answers), [0, 0, 1, 1, 1, 0])


@ALL
@pytest.mark.parametrize(
  "kind", ["literal", "cross_entropy", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("expected", "kl"))]
)
def test_answers_surrogate_leads_answer(quality, kind):
  """A surrogate leads to the answer."""
  random = np.random.default_rng(0)
  answer = random.random((8, len(quality.names))).astype(np.float32)
  if quality.kind == "classes":
    answer /= answer.sum(1, keepdims=True)
  if quality.kind == "values":
    answer[:3] = np.nan
  target = jnp.asarray(qualities.to_target(quality, answer))
  assert target.shape == (8, quality.width)
  raw = jnp.asarray(random.normal(size=target.shape), jnp.float32)
  rate = jnp.asarray([0.01, 10.0, 1.0]) if quality.kind == "values" else 3.0  # of the size of a value's own scale

  @jax.jit
  def descend(raw):
    loss = lambda raw: qualities.surrogate(quality, kind, target, raw)
    lost = lambda raw: qualities.lost(quality, target, qualities.decide(quality, raw))
    step = lambda _, raw: raw - rate * jax.grad(lambda raw: loss(raw).sum())(raw)
    end = jax.lax.fori_loop(0, 200, step, raw)
    return loss(raw), lost(raw), loss(end), lost(end), end

  before, lost, after, still_lost, end = descend(raw)
  assert before.shape == (8,) and bool((before >= -1e-6).all())
  if kind == "literal":
    np.testing.assert_array_equal(end, raw)  # no gradient
    np.testing.assert_array_equal(before, lost)
  else:
    assert float(lost.max()) == 1 or quality.kind == "attributes"
    assert float(after.mean()) < float(before.mean())
    assert float(still_lost.max()) == 0


@ALL
def test_answers_student_best_says_service_says(quality):
  """A student is best where it says what the service says."""
  answer = np.array([[0.2, 0.5, 0.3]] if quality.kind == "classes" else [[0.3, 0.9]], np.float32)
  target = jnp.asarray(qualities.to_target(quality, answer))
  if quality.kind == "classes":
    raw = jnp.log(target)
  elif quality.kind == "attributes":
    raw = jnp.log(target / (1 - target))
  else:
    raw = target.at[..., -1].set(20.0)
  gradient = jax.grad(lambda raw: qualities.imitation(quality, target, raw).sum())(raw)
  np.testing.assert_allclose(gradient, 0, atol=1e-6)
  assert bool((qualities.decide(quality, raw)[..., : len(quality.names)] - answer < 1e-6).all())


def test_answers_doubt():
  """Doubt."""
  np.testing.assert_allclose(qualities.doubt(CLASSES, jnp.log(jnp.array([[0.5, 0.3, 0.2]]))), 0.8, rtol=1e-6)
  np.testing.assert_allclose(qualities.doubt(ATTRIBUTES, jnp.array([[0.0, 50.0]])), 0.5, rtol=1e-6)
  np.testing.assert_allclose(qualities.doubt(VALUES, jnp.array([[9.0, 9.0, 0.0]])), 1.0, rtol=1e-6)


@pytest.mark.parametrize(
  ("quality", "message"),
  [
    (Quality("labels", ("a", "b")), "one of classes, attributes, values"),
    (Quality("classes", ("a",)), "at least 2"),
    (Quality("attributes", ("a", "a")), "each once"),
    (Quality("attributes", ("a",), (0.1,)), "need no numbers"),
    (Quality("values", ("a", "b"), (0.1,)), "need 2 numbers above 0"),
    (Quality("values", ("a",), (0.0,)), "above 0"),
  ],
)
def test_answers_no_quality(quality, message):
  """What is no quality."""
  with pytest.raises(ValueError, match=message):
    qualities.check(quality)
