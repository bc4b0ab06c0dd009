"""Vector quantization: gradients by hand, averages by NumPy, restarts, start, normalised codes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae.quantizers import QUANTIZERS, ema, vq

KEY = jax.random.key(0)
K, D, B, SIDE = 8, 5, 3, 4


def make(**options):
  return vq.make(**({"num_codes": K, "code_dim": D} | options))


def encodings(seed=1, spread=1.0):
  return spread * jax.random.normal(jax.random.key(seed), (B, SIDE, SIDE, D))


def codes(seed=2):
  return jax.random.normal(jax.random.key(seed), (K, D))


def test_vq_gradients_both_terms_derived_hand():
  """Gradients of both terms are those derived by hand."""
  quantizer, z, e = make(codebook="gradient"), encodings(), codes()
  weight = jnp.array([1.0, 2.0, -3.0])  # tells the examples apart

  def term(name):
    return lambda z, e: jnp.sum(weight * getattr(quantizer.apply({"codebook": e}, (), z, KEY, train=True), name))

  out = quantizer.apply({"codebook": e}, (), z, KEY, train=True)
  ids = np.asarray(out.ids)
  difference = np.asarray(z, np.float64) - np.asarray(e, np.float64)[ids]
  n = SIDE * SIDE * D
  np.testing.assert_allclose(out.codebook, np.square(difference).mean((1, 2, 3)), rtol=1e-6)
  np.testing.assert_allclose(out.commitment, np.square(difference).mean((1, 2, 3)), rtol=1e-6)

  to_z, to_e = jax.grad(term("codebook"), (0, 1))(z, e)
  expected = np.zeros((K, D))
  for b in range(B):
    for i, j in np.ndindex(SIDE, SIDE):
      expected[ids[b, i, j]] -= weight[b] * 2 * difference[b, i, j] / n  # d/de (z - e)^2 = 2 (e - z)
  np.testing.assert_array_equal(to_z, 0)
  # Float32 sums of at most 48 terms of size 0.1.
  np.testing.assert_allclose(to_e, expected, rtol=0, atol=1e-6)

  to_z, to_e = jax.grad(term("commitment"), (0, 1))(z, e)
  np.testing.assert_allclose(to_z, np.asarray(weight)[:, None, None, None] * 2 * difference / n, rtol=1e-5, atol=1e-8)
  np.testing.assert_array_equal(to_e, 0)


def test_vq_z_q_passes_gradient_z():
  """Z q passes its gradient to z e alone."""
  quantizer, z, e = make(codebook="gradient"), encodings(), codes()
  seen = jax.random.normal(KEY, z.shape)
  loss = lambda z, e: jnp.sum(seen * quantizer.apply({"codebook": e}, (), z, KEY, train=True).z_q)
  to_z, to_e = jax.grad(loss, (0, 1))(z, e)
  np.testing.assert_array_equal(to_z, seen)
  np.testing.assert_array_equal(to_e, 0)


def test_vq_ema_reports_codebook_term_without():
  """Ema reports the codebook term without a gradient."""
  quantizer = make()
  state = ema.start(codes())
  term = lambda z, state: quantizer.apply((), state, z, KEY, train=True).codebook.sum()
  value, gradients = jax.value_and_grad(term, (0, 1))(encodings(), state)
  assert value > 0
  for gradient in jax.tree.leaves(gradients):
    np.testing.assert_array_equal(gradient, 0)


def numpy_ema(state, flat, ids, decay, epsilon):
  one_hot = np.eye(K)[ids]
  counts = decay * np.asarray(state.counts, np.float64) + (1 - decay) * one_hot.sum(0)
  sums = decay * np.asarray(state.sums, np.float64) + (1 - decay) * one_hot.T @ flat
  smoothed = (counts + epsilon) / (counts.sum() + K * epsilon) * counts.sum()
  return sums / smoothed[:, None], counts, sums


def test_vq_ema_equals_numpy_over_three():
  """Ema equals numpy over three batches with padding."""
  options = {"decay": 0.9, "epsilon": 1e-3}
  quantizer = make(dead_code_threshold=0.0, **options)
  state = ema.start(codes())
  np.testing.assert_array_equal(state.counts, 1)
  for seed in range(3):
    z = encodings(seed)
    out = quantizer.apply((), state, z, KEY, train=True, mask=jnp.array([1.0, 0.0, 1.0]))
    real = np.asarray(z, np.float64)[[0, 2]].reshape(-1, D)
    expected = numpy_ema(state, real, np.asarray(out.ids)[[0, 2]].ravel(), **options)
    for ours, theirs in zip(out.state, expected, strict=True):
      # Float32 sums of at most 32 terms, and one quotient.
      np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=2e-6)
    state = out.state


def test_vq_ema_restarts_unused_codes_encodings():
  """Ema restarts unused codes on encodings of the batch."""
  far = codes().at[3:].set(1e3)  # nobody is near five of the eight
  quantizer, state, z = make(decay=0.5, dead_code_threshold=0.2), ema.start(far), encodings()
  mask = jnp.array([1.0, 0.0, 1.0])
  plain = make(decay=0.5, dead_code_threshold=0.0)
  key = KEY
  for step in range(6):
    key = jax.random.fold_in(key, step)
    expected = plain.apply((), state, z, key, train=True, mask=mask).state
    out = quantizer.apply((), state, z, key, train=True, mask=mask).state
    mean = np.mean(expected.counts)
    dead = np.asarray(expected.counts) < 0.2 * mean
    for k in range(K):
      if not dead[k]:
        np.testing.assert_array_equal(out.codebook[k], expected.codebook[k])
        continue
      rows = np.asarray(z)[[0, 2]].reshape(-1, D)  # never from the padded example
      assert np.any(np.all(rows == np.asarray(out.codebook[k]), -1))
      np.testing.assert_allclose(out.counts[k], mean, rtol=1e-6)
      np.testing.assert_allclose(out.sums[k], mean * np.asarray(out.codebook[k]), rtol=1e-6)
    if dead.any():
      break
    state = out
  else:
    pytest.fail("no code died")
  assert 0 < step < 5  # not in the first batch, where every count is still near 1
  assert set(np.flatnonzero(dead)) == {3, 4, 5, 6, 7}


def test_vq_restart_draws_differ_between_keys():
  """Restart draws differ between keys."""
  state = ema.State(codes(), jnp.zeros(K).at[0].set(100.0), codes())
  z = encodings().reshape(B, -1, D)
  first, second = (ema.restart(state, key, z, jnp.ones(B), share=0.1) for key in jax.random.split(KEY))
  assert np.mean(first.codebook[1:] != second.codebook[1:]) > 0.5


def test_vq_codebook_starts_encodings():
  """Codebook starts from the encodings."""
  z = encodings().reshape(-1, D)
  _, state = make(num_codes=32).init(KEY, z)
  found = [np.flatnonzero(np.all(np.asarray(z) == code, -1)) for code in np.asarray(state.codebook)]
  assert all(len(match) == 1 for match in found)
  assert len({int(match[0]) for match in found}) == 32  # distinct
  np.testing.assert_array_equal(state.counts, 1)
  np.testing.assert_array_equal(state.sums, state.codebook)
  # Fewer encodings than codes: all of them, and close but distinct copies.
  _, state = make(num_codes=32).init(KEY, z[:10])
  distance = np.linalg.norm(np.asarray(state.codebook)[:, None] - np.asarray(z[:10])[None], axis=-1)
  assert np.all(distance.min(1) < 0.15)  # 0.01 of a standard deviation of 1 in 5 dimensions, five times over
  assert set(distance.argmin(1)) == set(range(10))
  assert len(np.unique(np.asarray(state.codebook), axis=0)) == 32
  with pytest.raises(ValueError, match="none"):
    make().init(KEY, z[:0])


@pytest.mark.parametrize("codebook", ["ema", "gradient"])
def test_vq_normalised_codes_compare_angle(codebook):
  """Normalised codes compare by angle."""
  quantizer, z = make(codebook=codebook, normalize=True), encodings()
  params, state = quantizer.init(KEY, encodings(7).reshape(-1, D))
  for _ in range(2):
    e = np.asarray(params["codebook"] if codebook == "gradient" else state.codebook, np.float64)
    e = e / np.linalg.norm(e, axis=-1, keepdims=True)
    out = quantizer.apply(params, state, z, KEY, train=True)
    cosine = np.asarray(z, np.float64) @ e.T
    np.testing.assert_array_equal(out.ids, cosine.argmax(-1))
    np.testing.assert_allclose(np.linalg.norm(out.z_q, axis=-1), 1, rtol=1e-6)
    scaled = quantizer.apply(params, state, 4 * z, KEY, train=True)
    np.testing.assert_array_equal(scaled.z_q, out.z_q)
    if codebook == "gradient":
      params = {"codebook": 3 * params["codebook"] + 0.1}  # an optimiser leaves the sphere
    state = out.state


def test_vq_normalising_zero_encoding_finite_gradient():
  """Normalising a zero encoding has a finite gradient."""
  gradient = jax.grad(lambda z: vq.unit(z).sum())(jnp.zeros((2, D)).at[1].set(1.0))
  assert np.all(np.isfinite(gradient))


def test_vq_training_ema_finds_clusters_keeps():
  """Training by ema finds clusters and keeps all codes alive."""
  centres = 4 * np.random.default_rng(0).standard_normal((K, D))
  quantizer = make(decay=0.9, dead_code_threshold=0.1)
  _, state = quantizer.init(KEY, jnp.zeros((1, D)))  # the worst start: all codes in one place
  step = jax.jit(lambda state, z, key: quantizer.apply((), state, z, key, train=True))
  random = np.random.default_rng(1)
  for i in range(150):
    z = centres[random.integers(K, size=(B, SIDE, SIDE))] + 0.05 * random.standard_normal((B, SIDE, SIDE, D))
    out = step(state, jnp.asarray(z, jnp.float32), jax.random.fold_in(KEY, i))
    state = out.state
  distance = np.linalg.norm(centres[:, None] - np.asarray(state.codebook)[None], axis=-1).min(1)
  # The mean of a hundred draws of deviation 0.05 in 5 dimensions lies within 0.05 of the centre.
  assert np.all(distance < 0.1)


def test_vq_defaults_registered_quantizer():
  """Defaults are the registered quantizer."""
  assert QUANTIZERS["vq"]().num_codes == 512
