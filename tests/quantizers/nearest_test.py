"""The search against brute force, its ties, and the memory it takes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qm_vae.bench import floor
from qm_vae.quantizers import ema, vq
from qm_vae.quantizers.nearest import nearest


def brute_force(z, codes):
  z, codes = np.asarray(z, np.float64), np.asarray(codes, np.float64)
  return np.square(z[:, None] - codes[None]).sum(-1).argmin(-1)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 100])
def test_nearest_equals_brute_force(count):
  """Equals brute force."""
  random = np.random.default_rng(count)
  z, codes = random.standard_normal((count, 6)).astype(np.float32), random.standard_normal((33, 6)).astype(np.float32)
  ids = nearest(jnp.asarray(z), jnp.asarray(codes), chunk=16)
  assert ids.dtype == jnp.int32
  np.testing.assert_array_equal(ids, brute_force(z, codes))


def test_nearest_ties_go_lowest_index():
  """Ties go to the lowest index."""
  # On a grid of small integers every distance is exact, and most encodings have several nearest codes.
  random = np.random.default_rng(0)
  z, codes = random.integers(-2, 3, (200, 3)), random.integers(-2, 3, (40, 3))
  codes[7] = codes[3]
  ids = nearest(jnp.asarray(z, jnp.float32), jnp.asarray(codes, jnp.float32), chunk=64)
  np.testing.assert_array_equal(ids, brute_force(z, codes))
  assert 7 not in np.asarray(ids)


def test_nearest_bfloat16_compared_float32():
  """Bfloat16 is compared in float32."""
  # Codes that bfloat16 cannot tell apart: its steps are 0.0078 above 1 and 0.0039 below.
  codes = jnp.array([[1.003], [0.9995]])
  np.testing.assert_array_equal(nearest(jnp.ones((1, 1), jnp.bfloat16), codes), [1])
  # Distances that bfloat16 arithmetic cannot tell apart: 0.5 ||e||^2 near 32 has steps of 0.25 there.
  codes = jnp.array([[8.0, 0.0], [8.0, 0.0625]])
  z = jnp.array([[8.0, 0.0625], [8.0, 0.0]], jnp.bfloat16)
  np.testing.assert_array_equal(nearest(z, codes), [1, 0])


@pytest.mark.parametrize("num_codes", [9000, 20_001, 32_768])
def test_nearest_distances_at_once_do_not_grow_with_the_codes(num_codes):
  """Many codes are searched in blocks of codes and encodings, 2^20 distances at most, with the same result."""
  random = np.random.default_rng(0)
  z = random.standard_normal((300, 4)).astype(np.float32)
  codes = random.standard_normal((num_codes, 4)).astype(np.float32)
  np.testing.assert_array_equal(jax.jit(nearest)(z, codes), brute_force(z, codes))
  assert max(sizes(jax.make_jaxpr(nearest)(z, codes).jaxpr)) <= 2**20 < 300 * num_codes


def test_nearest_products_grow_linearly_with_the_codes():
  """Four times the codes are four times the products and sums, and no more."""
  z = jax.ShapeDtypeStruct((8192, 64), jnp.float32)
  shapes = [jax.ShapeDtypeStruct((num_codes, 64), jnp.float32) for num_codes in (8192, 32_768)]
  fewer, more = (floor.count(nearest, z, codes)[0] for codes in shapes)
  assert more.matrix == 4 * fewer.matrix == 4 * 2 * 64 * 8192 * 8192
  assert more.other == pytest.approx(4 * fewer.other, rel=0.02)


def test_nearest_ties_and_nan_across_blocks():
  """The lowest index among equals wins over all blocks, and NaN gets the last code, not a padded one."""
  codes = np.ones((20_001, 2), np.float32)
  codes[[5, 19_000]] = 0
  assert nearest(jnp.zeros((1, 2)), jnp.asarray(codes)) == 5
  assert nearest(jnp.full((1, 2), jnp.nan), jnp.asarray(codes)) == 20_000


def products(jaxpr):
  """Equations of every matrix product in a jaxpr or one inside it."""
  for equation in jaxpr.eqns:
    if equation.primitive.name == "dot_general":
      yield equation
    for inner in inside(equation):
      yield from products(inner)


@pytest.mark.parametrize("normalize", [False, True])
def test_nearest_network_bfloat16_quantized_float32(normalize):
  """A network in bfloat16 is quantized in float32."""
  quantizer = vq.make(num_codes=16, code_dim=4, normalize=normalize)
  z = jnp.ones((2, 3, 3, 4), jnp.bfloat16)
  state = ema.start(jnp.ones((16, 4)))
  apply = lambda state, z: quantizer.apply((), state, z, jax.random.key(0), train=True)
  found = list(products(jax.make_jaxpr(apply)(state, z).jaxpr))
  assert found
  for equation in found:
    assert all(operand.aval.dtype == jnp.float32 for operand in equation.invars)
    assert set(equation.params["precision"]) == {jax.lax.Precision.HIGHEST}
  out = jax.eval_shape(apply, state, z)
  assert {leaf.dtype for leaf in (out.z_q, out.codebook, out.commitment, *out.state)} == {np.dtype(np.float32)}


def test_nearest_nan_gets_valid_code():
  """Nan gets a valid code."""
  assert nearest(jnp.full((1, 2), jnp.nan), jnp.zeros((5, 2))) == 4


def sizes(jaxpr):
  """Number of elements of every value that a jaxpr, or one inside it, computes."""
  for equation in jaxpr.eqns:
    yield from (out.aval.size for out in equation.outvars if hasattr(out.aval, "size"))
    for inner in inside(equation):
      yield from sizes(inner)


def inside(equation):
  """The jaxprs that an equation holds."""
  for value in jax.tree.leaves(equation.params, is_leaf=lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr")):
    inner = getattr(value, "jaxpr", value)
    if hasattr(inner, "eqns"):
      yield inner


@pytest.mark.parametrize("codebook", ["ema", "gradient"])
def test_nearest_all_distances_never_exist_once(codebook):
  """All distances never exist at once."""
  batch, side, dim, num_codes, chunk = 16, 16, 4, 256, 128
  count = batch * side * side
  quantizer = vq.make(num_codes=num_codes, code_dim=dim, chunk=chunk, codebook=codebook)
  z = jnp.ones((batch, side, side, dim))
  params, state = quantizer.init(jax.random.key(0), z.reshape(-1, dim))

  def loss(params, z):
    out = quantizer.apply(params, state, z, jax.random.key(0), train=True)
    return out.codebook.sum() + out.commitment.sum() + out.z_q.sum(), out

  step = jax.grad(loss, (0, 1), has_aux=True)
  largest = max(sizes(jax.make_jaxpr(step)(params, z).jaxpr))
  assert largest <= max(count * dim, chunk * num_codes)
  assert largest < count * num_codes / 8
  memory = jax.jit(step).lower(params, z).compile().memory_analysis().temp_size_in_bytes
  assert memory < 4 * count * num_codes / 2  # bytes of half the float32 distances


@pytest.mark.parametrize("codebook", ["ema", "gradient"])
def test_a_large_step_needs_a_fraction_of_its_distances(codebook):
  """Search, lookup, averages and gradients for 65,536 encodings and 8,192 codes, compiled and not run."""
  count, num_codes, dim = 64 * 32 * 32, 8192, 8
  quantizer = vq.make(num_codes=num_codes, code_dim=dim, codebook=codebook)
  z = jax.ShapeDtypeStruct((64, 32, 32, dim), jnp.float32)
  key = jax.random.key(0)
  params, state = jax.eval_shape(lambda z: quantizer.init(key, z.reshape(-1, dim)), z)

  def loss(params, state, z):
    out = quantizer.apply(params, state, z, key, train=True)
    return out.codebook.sum() + out.commitment.sum() + out.z_q.sum(), out

  step = jax.jit(jax.grad(loss, (0, 2), has_aux=True))
  memory = step.lower(params, state, z).compile().memory_analysis().temp_size_in_bytes
  assert memory < 4 * count * num_codes / 100  # bytes of a hundredth of the float32 distances, which are 2 GB
