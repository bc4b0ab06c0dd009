"""What every listed quantizer promises, under each of its options."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from qm_vae.quantizers import QUANTIZERS

VQ = {"num_codes": 16, "code_dim": 6, "chunk": 20}  # 48 encodings: two whole chunks and a rest
# (name, options, channels of the encodings)
CASES = (
  ("vq", VQ, 6),
  ("vq", VQ | {"normalize": True}, 6),
  ("vq", VQ | {"estimator": "rotation", "dead_code_threshold": 0.5}, 6),
  ("vq", VQ | {"codebook": "gradient"}, 6),
  ("vq", VQ | {"codebook": "gradient", "normalize": True, "estimator": "rotation"}, 6),
  ("fsq", {"levels": (4, 3, 2)}, 3),
)
SHAPE = (3, 4, 4)
KEY = jax.random.key(0)
EVERY = [(i,) for i in range(len(CASES))]


class Fixture:
  """One case with its compiled training step, shared by the tests: compiling is what they cost."""

  def __init__(self, index):
    name, options, self.channels = CASES[index]
    self.quantizer = QUANTIZERS[name](**options)
    start = 1.5 * jax.random.normal(jax.random.fold_in(KEY, 1), (*SHAPE, self.channels))
    self.params, self.state = self.quantizer.init(KEY, start.reshape(-1, self.channels))
    self.z_e = start + 0.3 * jax.random.normal(jax.random.fold_in(KEY, 2), start.shape)
    self.step = jax.jit(functools.partial(self.quantizer.apply, train=True))

  def __call__(self, z_e, mask=(1.0, 1.0, 1.0)):
    return self.step(self.params, self.state, z_e, KEY, mask=jnp.array(mask))


fixture = functools.cache(Fixture)


def assert_trees_equal(a, b):
  chex.assert_trees_all_equal(a, b)


def assert_trees_close(a, b):
  # Sums of at most 96 float32 terms in another order.
  jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=2e-6, atol=2e-6), a, b)


class ContractTest(parameterized.TestCase):
  def test_quantizer_every_listed_quantizer_case(self):
    """Every listed quantizer has a case."""
    self.assertEqual({name for name, *_ in CASES}, set(QUANTIZERS.names()))

  @parameterized.parameters(*EVERY)
  def test_quantizer_shapes_ids_counts(self, index):
    """Shapes ids and counts."""
    case = fixture(index)
    out = case(case.z_e, mask=(1.0, 0.0, 1.0))
    self.assertEqual((out.z_q.shape, out.z_q.dtype), (case.z_e.shape, jnp.float32))
    self.assertEqual((out.ids.shape, out.ids.dtype), (SHAPE, jnp.int32))
    self.assertTrue(np.all((out.ids >= 0) & (out.ids < case.quantizer.num_codes)))
    for term in (out.codebook, out.commitment):
      self.assertEqual((term.shape, term.dtype), (SHAPE[:1], jnp.float32))
      self.assertTrue(np.all(term >= 0))
    expected = np.bincount(np.asarray(out.ids)[[0, 2]].ravel(), minlength=case.quantizer.num_codes)
    np.testing.assert_array_equal(out.counts, expected)
    self.assertEqual(out.counts.dtype, jnp.float32)

  @parameterized.parameters(*EVERY)
  def test_quantizer_decoding_ids_gives_z_q(self, index):
    """Decoding the ids gives z q bit for bit."""
    case = fixture(index)
    out = case(case.z_e)
    for decode in (case.quantizer.decode, jax.jit(case.quantizer.decode)):
      np.testing.assert_array_equal(out.z_q, decode(case.params, case.state, out.ids))
    np.testing.assert_array_equal(out.z_q[0], case.quantizer.decode(case.params, case.state, out.ids[0]))

  @parameterized.parameters(*EVERY)
  def test_quantizer_jit_equals_eager_no_mask(self, index):
    """Jit equals eager and no mask is a full one."""
    case = fixture(index)
    eager, compiled = case.quantizer.apply(case.params, case.state, case.z_e, KEY, train=True), case(case.z_e)
    np.testing.assert_array_equal(eager.ids, compiled.ids)
    assert_trees_close(eager, compiled)

  @parameterized.parameters(*EVERY)
  def test_quantizer_state_stays_unless_training(self, index):
    """State stays unless training."""
    case = fixture(index)
    out = case.quantizer.apply(case.params, case.state, case.z_e, None, train=False)
    assert_trees_equal(out.state, case.state)
    trained = case(case.z_e).state
    moved = [np.any(a != b) for a, b in zip(jax.tree.leaves(trained), jax.tree.leaves(case.state), strict=True)]
    self.assertEqual(all(moved), True)

  @parameterized.parameters(*EVERY)
  def test_quantizer_padding_changes_nothing(self, index):
    """Padding changes nothing."""
    case = fixture(index)
    mask = (1.0, 1.0, 0.0)
    out, other = case(case.z_e, mask), case(case.z_e.at[2].set(jnp.nan), mask)
    assert_trees_equal(out.state, other.state)
    np.testing.assert_array_equal(out.counts, other.counts)
    np.testing.assert_array_equal(out.z_q[:2], other.z_q[:2])
    np.testing.assert_array_equal(out.commitment[:2], other.commitment[:2])
    nobody = case(case.z_e, (0.0, 0.0, 0.0))
    assert_trees_equal(nobody.state, case.state)
    self.assertEqual(nobody.counts.sum(), 0)

  @parameterized.parameters(*EVERY)
  def test_quantizer_empty_batch(self, index):
    """Empty batch."""
    case = fixture(index)
    apply = functools.partial(case.quantizer.apply, train=True)
    out = jax.eval_shape(apply, case.params, case.state, case.z_e[:0], KEY)
    self.assertEqual((out.z_q.shape, out.ids.shape, out.codebook.shape), ((0, *case.z_e.shape[1:]), (0, 4, 4), (0,)))
    out = apply(case.params, case.state, case.z_e[:0], KEY)
    assert_trees_equal(out.state, case.state)
    self.assertEqual(out.counts.sum(), 0)

  @parameterized.parameters(*EVERY)
  def test_quantizer_vmap_over_grid_equals_one(self, index):
    """Vmap over a grid equals one by one."""
    case = fixture(index)
    grid, keys = jnp.stack([case.z_e, 0.8 * case.z_e]), jnp.stack([KEY, KEY])
    params, state = jax.tree.map(lambda x: jnp.stack([x, 1.5 * x]), (case.params, case.state))
    full = jnp.ones((2, SHAPE[0]))
    together = jax.jit(jax.vmap(lambda *args: case.step(*args[:4], mask=args[4])))(params, state, grid, keys, full)
    for i in range(2):
      alone = case.step(*jax.tree.map(lambda x: x[i], (params, state, grid)), KEY, mask=full[i])  # noqa: B023
      np.testing.assert_array_equal(together.ids[i], alone.ids)
      assert_trees_close(jax.tree.map(lambda x: x[i], together), alone)  # noqa: B023

  @parameterized.parameters(*EVERY)
  def test_quantizer_bfloat16_compared_float32(self, index):
    """Bfloat16 is compared in float32."""
    case = fixture(index)
    half = case.z_e.astype(jnp.bfloat16)
    out = case.quantizer.apply(case.params, case.state, half, KEY, train=True)
    assert_trees_close(out, case(half.astype(jnp.float32)))
    gradient = jax.eval_shape(jax.grad(lambda z_e: case(z_e).z_q.sum()), half)
    self.assertEqual(gradient.dtype, jnp.bfloat16)

  @parameterized.parameters(*EVERY)
  def test_quantizer_wrong_channels_refused(self, index):
    """Wrong channels are refused."""
    case = fixture(index)
    with self.assertRaisesRegex(ValueError, "channels"):
      case(case.z_e[..., :-1])

  @parameterized.parameters(
    ("vq", {"num_codes": 0}, "num_codes 0"),
    ("vq", {"code_dim": 1.5}, "code_dim 1.5"),
    ("vq", {"codebook": "adam"}, "codebook 'adam'.*ema"),
    ("vq", {"estimator": "soft"}, "estimator 'soft'.*rotation"),
    ("vq", {"decay": 1.0}, "decay 1.0"),
    ("vq", {"dead_code_threshold": -0.1}, "dead_code_threshold -0.1"),
    ("vq", {"epsilon": 0.0}, "epsilon 0.0"),
    ("fsq", {"levels": ()}, "levels"),
    ("fsq", {"levels": (8, 1)}, "levels"),
    ("fsq", {"levels": (1000,) * 4}, "1000000000000 codes"),
  )
  def test_quantizer_options_out_range_refused_name(self, name, options, message):
    """Options out of range are refused by name."""
    with self.assertRaisesRegex(ValueError, message):
      QUANTIZERS[name](**options)


if __name__ == "__main__":
  absltest.main()
