"""The vector quantizer as a Flax module, for models of one's own."""

import flax.linen as nn
import jax

from qm_vae.quantizers import vq


class VectorQuantizer(nn.Module):
  """Replaces encodings by the nearest codes of a learned codebook (van den Oord et al. 2017; Qiu et al. 2022, Eq. 5).

  With `codebook='ema'` the codes live in the collection `batch_stats` and follow a moving average: apply the module
  with `mutable=['batch_stats']` while training. With `codebook='gradient'` they are the parameter `codebook`. The
  codebook starts from the encodings that `init` is called with. Restarted codes draw from the random stream
  `codes` if there is one.

  Attributes:
    num_codes: K.
    codebook: 'ema' or 'gradient'.
    decay: of the moving average, in [0, 1).
    dead_code_threshold: codes used less than this share of the mean use are restarted, in [0, 1).
    normalize: whether codes and encodings are scaled to length 1.
    estimator: 'straight_through' or 'rotation' (Fifty et al. 2024).

  Returns of `__call__(z, train)`:
    z_q [B, ..., D]: the codes, with the gradient of z; and a dict: `ids` int32 [B, ...], `codebook_loss` and
    `commitment_loss` [B] (Eq. 7, third and fourth term, without beta), `counts` [K].

  Raises:
    ValueError: for an option out of range.

  Examples:
    >>> import jax, jax.numpy as jnp
    >>> z = jax.random.normal(jax.random.key(0), (2, 4, 4, 8))
    >>> module = VectorQuantizer(num_codes=16)
    >>> variables = module.init(jax.random.key(1), z, train=False)
    >>> (z_q, aux), updates = module.apply(variables, z, train=True, mutable=["batch_stats"])
    >>> z_q.shape, aux["ids"].shape, sorted(updates)
    ((2, 4, 4, 8), (2, 4, 4), ['batch_stats'])
  """

  num_codes: int = 512
  codebook: str = "ema"
  decay: float = 0.99
  dead_code_threshold: float = 0.2
  normalize: bool = False
  estimator: str = "straight_through"

  @nn.compact
  def __call__(self, z: jax.Array, train: bool = False):
    """Returns the quantized encodings and what training needs; see the class."""
    quantizer = vq.make(
      num_codes=self.num_codes,
      code_dim=z.shape[-1],
      codebook=self.codebook,
      decay=self.decay,
      dead_code_threshold=self.dead_code_threshold,
      normalize=self.normalize,
      estimator=self.estimator,
    )
    start = lambda key: quantizer.init(key, z.reshape(-1, z.shape[-1]))
    if self.codebook == "gradient":
      params, state = {"codebook": self.param("codebook", lambda key: start(key)[0]["codebook"])}, ()
    else:
      variable = self.variable("batch_stats", "codebook", lambda: start(self.make_rng("params"))[1])
      params, state = (), variable.value
    key = self.make_rng("codes") if self.has_rng("codes") else jax.random.key(0)
    found = quantizer.apply(params, state, z, key, train=train)
    if self.codebook == "ema" and train and not self.is_initializing():
      variable.value = found.state
    aux = {
      "ids": found.ids,
      "codebook_loss": found.codebook,
      "commitment_loss": found.commitment,
      "counts": found.counts,
    }
    return found.z_q, aux
