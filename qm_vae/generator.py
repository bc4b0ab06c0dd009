"""The whole way from a face to its de-identified image: views, encoder, codes, decoder (Qiu et al. 2022, Fig. 3)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from qm_vae.models import vqvae
from qm_vae.types import Deidentifier, Face, Quantized, Quantizer


class Generated(NamedTuple):
  """What the generator returns for a batch."""

  image: jax.Array  # [B, H, W, 3] float32 in [0, 1]
  views: jax.Array  # [B, V, H, W, 3] float32 in [0, 1]
  quantized: Quantized


class Generator(NamedTuple):
  """A generator as two pure functions."""

  init: Callable  # (key, views_params, face) -> (params, carried)
  apply: Callable  # (params, carried, views_params, face, key, *, train, mask) -> Generated


def make_views(views: Sequence[Deidentifier], views_params: Sequence[Any], face: Face, key: jax.Array) -> jax.Array:
  """The de-identified views of a batch of faces, [B, V, H, W, 3]; every example and view draws its own noise."""

  def of_one(face, key):
    keys = jax.random.split(key, len(views))
    images = [v.apply(p, face, k) for v, p, k in zip(views, views_params, keys, strict=True)]
    return jnp.stack(images)

  return jax.vmap(of_one)(face, jax.random.split(key, len(face.image)))


def make(views: Sequence[Deidentifier], preset: vqvae.Preset, code_dim: int, quantizer: Quantizer, dtype) -> Generator:
  """A generator for faces whose height and width divide by `vqvae.STRIDE`.

  Args:
    views: the de-identifiers whose outputs are fused, at least one.
    preset: widths of encoder and decoder.
    code_dim: channels of z_e.
    quantizer: see quantize/.
    dtype: what the convolutions compute in; codes, distances and the image stay float32.
  """
  encoder = vqvae.Encoder(preset, code_dim, dtype)
  decoder = vqvae.Decoder(preset, dtype)

  def init(key, views_params, face):
    view_key, encoder_key, quantizer_key, decoder_key = jax.random.split(key, 4)
    stacked = vqvae.views_to_channels(make_views(views, views_params, face, view_key))
    encoder_params = encoder.init(encoder_key, stacked[:1])
    z_e = encoder.apply(encoder_params, stacked)
    codebook, carried = quantizer.init(quantizer_key, z_e.reshape(-1, code_dim))
    params = {"encoder": encoder_params, "quantizer": codebook, "decoder": decoder.init(decoder_key, z_e[:1])}
    return params, carried

  def apply(params, carried, views_params, face, key, *, train, mask=None):
    view_key, quantizer_key = jax.random.split(key)
    stacked = make_views(views, views_params, face, view_key)
    z_e = encoder.apply(params["encoder"], vqvae.views_to_channels(stacked))
    quantized = quantizer.apply(params["quantizer"], carried, z_e, quantizer_key, train=train, mask=mask)
    return Generated(decoder.apply(params["decoder"], quantized.z_q), stacked, quantized)

  return Generator(init, apply)
