"""The train step from views to update, without views and augmentation: what a twin in another framework does too."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from qm_vae.bench.workload import LEARNING_RATE, Workload
from qm_vae.losses import qm_vae


class Core(NamedTuple):
  """What the core of the step carries."""

  params: Any  # {"encoder", "quantizer", "decoder"}
  opt_state: Any
  model_state: Any  # the quantizer's state


def init(load: Workload, views: jax.Array, key: jax.Array) -> Core:
  """A fresh state; `views` [B, H, W, 3 V] show the shapes and start the codebook."""
  encoder_key, quantizer_key, decoder_key = jax.random.split(key, 3)
  encoder = jax.jit(load.encoder.init)(encoder_key, views[:1])
  z_e = jax.jit(load.encoder.apply)(encoder, views)
  codebook, model_state = jax.jit(load.quantizer.init)(quantizer_key, z_e.reshape(-1, z_e.shape[-1]))
  params = {"encoder": encoder, "quantizer": codebook, "decoder": jax.jit(load.decoder.init)(decoder_key, z_e[:1])}
  return Core(params, _optimizer().init(params), model_state)


def forward(load: Workload, params, model_state, service, views, image, weights, key):
  """Loss, and what it comes from, of views [B, H, W, 3 V] of the originals [B, H, W, 3].

  Returns:
    (loss float32, (image [B, H, W, 3], Quantized)).
  """
  z_e = load.encoder.apply(params["encoder"], views)
  quantized = load.quantizer.apply(params["quantizer"], model_state, z_e, key, train=True, mask=None)
  x_hat = load.decoder.apply(params["decoder"], quantized.z_q)
  answer, output = (load.service.apply(service, each) for each in (image, x_hat))
  each = qm_vae.total(
    weights,
    qm_vae.service_loss("cross_entropy", answer, output),
    qm_vae.mse(image, x_hat),
    quantized.codebook,
    quantized.commitment,
  )
  return jnp.mean(each), (x_hat, quantized)


def step_of(load: Workload):
  """(Core, service params, views, image, weights, key) -> (Core, loss), compiled; the state given is used up."""

  def step(core, service, views, image, weights, key):
    def pays(params):
      return forward(load, params, core.model_state, service, views, image, weights, key)

    gradient, (_, quantized), loss = _with_value(pays, core.params)
    updates, opt_state = _optimizer().update(gradient, core.opt_state, core.params)
    return Core(optax.apply_updates(core.params, updates), opt_state, quantized.state), loss

  return jax.jit(step, donate_argnums=0)


def _with_value(function, params):
  (loss, aux), gradient = jax.value_and_grad(function, has_aux=True)(params)
  return gradient, aux, loss


def _optimizer():
  return optax.adam(LEARNING_RATE)
