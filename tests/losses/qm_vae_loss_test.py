"""The terms of the loss against NumPy, and what the literal one can and cannot train."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from qm_vae.losses import qm_vae
from qm_vae.quantizers import QUANTIZERS


def logits(seed, count=6, classes=7, scale=3.0):
  return (scale * np.random.default_rng(seed).standard_normal((count, classes))).astype(np.float32)


def numpy_loss(kind, answer, output):
  answer, output = answer.astype(np.float64), output.astype(np.float64)
  p, q = scipy.special.softmax(answer, -1), scipy.special.softmax(output, -1)
  chosen = q[np.arange(len(q)), answer.argmax(-1)]
  return {
    "literal": (answer.argmax(-1) != output.argmax(-1)).astype(np.float64),
    "expected": 1 - chosen,
    "cross_entropy": -np.log(chosen),
    "kl": np.sum(p * np.log(p / q), -1),
  }[kind]


@pytest.mark.parametrize("kind", qm_vae.SERVICE_LOSSES)
def test_loss_service_loss_equals_numpy(kind):
  """Service loss equals numpy."""
  answer, output = logits(0), logits(1)
  output[0] = answer[0]  # one that agrees
  value = qm_vae.service_loss(kind, jnp.asarray(answer), jnp.asarray(output))
  assert value.shape == (6,) and value.dtype == jnp.float32
  # A float32 log-softmax of seven terms; 1 - p loses a rounding of 1.
  np.testing.assert_allclose(value, numpy_loss(kind, answer, output), rtol=2e-6, atol=5e-7)


@pytest.mark.parametrize("kind", ["expected", "cross_entropy", "kl"])
def test_loss_service_loss_gradient_equals_finite(kind):
  """Service loss gradient equals finite differences."""
  answer, output = logits(0, 2), logits(1, 2)
  gradient = jax.grad(lambda y: qm_vae.service_loss(kind, jnp.asarray(answer), y).sum())(jnp.asarray(output))
  step = 1e-5  # in float64: truncation 1e-10, rounding 1e-11
  for i in np.ndindex(output.shape):
    up, down = output.astype(np.float64), output.astype(np.float64)
    up[i] += step
    down[i] -= step
    slope = (numpy_loss(kind, answer, up) - numpy_loss(kind, answer, down)).sum() / (2 * step)
    assert abs(gradient[i] - slope) < 1e-6


@pytest.mark.parametrize("kind", qm_vae.SERVICE_LOSSES)
def test_loss_service_loss_gives_answer_no(kind):
  """Service loss gives the answer no gradient."""
  gradient = jax.grad(lambda a: qm_vae.service_loss(kind, a, jnp.asarray(logits(1))).sum())(jnp.asarray(logits(0)))
  np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("kind", qm_vae.SERVICE_LOSSES)
def test_loss_service_loss_survives_extreme_logits(kind):
  """Service loss survives extreme logits."""
  sure = jnp.array([[1e4, -1e4, 0.0], [1e30, 0.0, -1e30], [-1e4, 1e4, 0.0]])
  other = jnp.array([[1e4, -1e4, 0.0], [1e30, 0.0, -1e30], [1e4, -1e4, 0.0]])
  value, gradient = jax.value_and_grad(lambda y: qm_vae.service_loss(kind, sure, y).sum())(other)
  assert np.isfinite(value) and np.all(np.isfinite(gradient))
  each = qm_vae.service_loss(kind, sure, other)
  np.testing.assert_array_equal(each[:2], 0)
  # Surely wrong: the distance of the two logits, 2e4 nats, or 1 on the scale of Eq. (8).
  assert each[2] == {"literal": 1, "expected": 1, "cross_entropy": 2e4, "kl": 2e4}[kind]


def test_loss_expected_precise_service_nearly_sure():
  """Expected is precise where the service is nearly sure."""
  value = qm_vae.service_loss("expected", jnp.array([[20.0, 0.0]]), jnp.array([[18.0, 0.0]]))
  # 1 - p would be 0 in float32; the closed form is 1 / (1 + e^18).
  np.testing.assert_allclose(value, [1 / (1 + np.exp(18.0))], rtol=1e-5)


def test_loss_unknown_service_loss_refused_name():
  """Unknown service loss is refused by name."""
  with pytest.raises(ValueError, match=r"hinge.*literal"):
    qm_vae.service_loss("hinge", jnp.zeros((1, 2)), jnp.zeros((1, 2)))


def test_loss_lost_eq_8():
  """Lost is eq 8."""
  answer = jnp.array([[0.0, 1], [1, 0], [2, 2]])
  output = jnp.array([[5.0, 6], [0, 1], [1, 0]])
  np.testing.assert_array_equal(qm_vae.lost(answer, output), [0, 1, 0])
  assert qm_vae.lost(answer, output).dtype == jnp.float32


def test_loss_mse_counts_masked_pixels_alone():
  """Mse counts the masked pixels alone."""
  random = np.random.default_rng(0)
  x, x_hat = random.random((2, 3, 5, 6, 3)).astype(np.float32)
  mask = (random.random((3, 5, 6, 1)) < 0.5).astype(np.float32)
  mask[2] = 0
  squared = np.square(x.astype(np.float64) - x_hat)
  np.testing.assert_allclose(qm_vae.mse(x, x_hat), squared.mean((1, 2, 3)), rtol=1e-6)  # float32 mean of 90
  expected = [squared[i][mask[i, ..., 0] > 0].mean() for i in range(2)] + [0]
  np.testing.assert_allclose(qm_vae.mse(x, x_hat, mask), expected, rtol=1e-6)


def test_loss_total_eq_7():
  """Total is eq 7."""
  weights = qm_vae.LossWeights(jnp.float32(0.4), jnp.float32(0.25), jnp.float32(2.0))
  service, mse, codebook, commitment = np.random.default_rng(0).random((4, 5)).astype(np.float32)
  expected = 0.4 * 2 * service + 0.6 * mse + codebook + 0.25 * commitment
  np.testing.assert_allclose(qm_vae.total(weights, service, mse, codebook, commitment), expected, rtol=1e-6)


def test_loss_masked_mean():
  """Masked mean."""
  values = jnp.array([1.0, jnp.nan, 4.0])
  mean, n = qm_vae.masked_mean(values, jnp.array([1.0, 0.0, 1.0]))
  assert (mean, n) == (2.5, 2)
  mean, n = qm_vae.masked_mean(values, jnp.zeros(3))
  assert (mean, n) == (0, 0)
  mean, n = qm_vae.masked_mean(jnp.zeros(0), jnp.zeros(0))
  assert (mean, n) == (0, 0)


def autoencoder():
  """A small VQ autoencoder before a linear service: (params, terms(params) -> service logits and loss terms)."""
  keys = jax.random.split(jax.random.key(0), 6)
  x = jax.random.uniform(keys[0], (4, 4, 4, 3))
  quantizer = QUANTIZERS["vq"](num_codes=8, code_dim=5, codebook="gradient")
  encoder, decoder = jax.random.normal(keys[1], (3, 5)), jax.random.normal(keys[2], (5, 3))
  service = jax.random.normal(keys[3], (48, 7))
  codes, _ = quantizer.init(keys[4], (x @ encoder).reshape(-1, 5) + 0.1)
  params = {"encoder": encoder, "decoder": decoder, "codes": codes}

  def terms(params):
    quantized = quantizer.apply(params["codes"], (), x @ params["encoder"], keys[5], train=True)
    x_hat = quantized.z_q @ params["decoder"]
    answers = [image.reshape(4, -1) @ service for image in (x, x_hat)]
    return answers, qm_vae.mse(x, x_hat), quantized.codebook, quantized.commitment

  return params, terms


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
def test_loss_literal_trains_exactly_no_service(alpha):
  """Literal trains exactly as no service at all."""
  params, terms = autoencoder()
  weights = qm_vae.LossWeights(jnp.float32(alpha), jnp.float32(0.25), jnp.float32(1.0))

  def loss(params, kind):
    (answer, output), mse, codebook, commitment = terms(params)
    if kind is None:
      return jnp.mean((1 - alpha) * mse + codebook + 0.25 * commitment)
    return jnp.mean(qm_vae.total(weights, qm_vae.service_loss(kind, answer, output), mse, codebook, commitment))

  literal, without, surrogate = (jax.grad(loss)(params, kind) for kind in ("literal", None, "cross_entropy"))
  for a, b in zip(jax.tree.leaves(literal), jax.tree.leaves(without), strict=True):
    # The same derivatives; 1 - alpha is rounded to float32 once here and once there.
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
  assert np.abs(without["encoder"]).max() > 1e-3
  if alpha:
    assert np.abs(surrogate["decoder"] - without["decoder"]).max() > 1e-3
