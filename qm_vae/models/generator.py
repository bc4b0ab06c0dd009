"""The whole way from a face to its de-identified image: views, encoder, codes, decoder (Qiu et al. 2022, Fig. 3)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from qm_vae.models import vqvae
from qm_vae.types import Deidentifier, Face, Quantized, Quantizer

CONDITIONS = ("none", "class", "probabilities")
"""What the decoder may receive of the service's answer on the original."""


_DARKEST = 1e-3


class Generated(NamedTuple):
  """What the generator returns for a batch."""

  image: jax.Array  # [B, H, W, 3] float32 in [0, 1]
  views: jax.Array  # [B, V, H, W, 3] float32 in [0, 1]
  quantized: Quantized


class Generator(NamedTuple):
  """A generator as pure functions.

  `answer` is [B, C] of `condition_of`, all 0 for a face whose answer is unknown, or None where all are unknown.
  """

  init: Callable  # (key, views_params, face) -> (params, carried)
  apply: Callable  # (params, carried, views_params, face, key, *, train, mask, answer) -> Generated
  encode: Callable  # (params, views_params, face, key) -> (z_e, views)
  quantize: Callable  # (params, carried, z_e) -> ids
  decode: Callable  # (params, carried, ids, answer) -> image
  condition: str  # one of CONDITIONS
  condition_in_use: str  # the same, once it is trained


def _logit(image):
  """Logits of values in [0, 1], kept where sigmoid brings them back to within a thousandth."""
  clipped = jnp.clip(image, _DARKEST, 1 - _DARKEST)
  return jnp.log(clipped) - jnp.log1p(-clipped)


def make_views(views: Sequence[Deidentifier], views_params: Sequence[Any], face: Face, key: jax.Array) -> jax.Array:
  """The de-identified views of a batch of faces, [B, V, H, W, 3]; every example and view draws its own noise."""

  def of_one(face, key):
    keys = jax.random.split(key, len(views))
    images = [v.apply(p, face, k) for v, p, k in zip(views, views_params[: len(views)], keys, strict=True)]
    return jnp.stack(images)

  return jax.vmap(of_one)(face, jax.random.split(key, len(face.image)))


def condition_of(condition: str, logits: jax.Array) -> jax.Array | None:
  """What the decoder receives where a service answers `logits` [B, C] on the originals.

  Returns:
    [B, C] float32, one-hot for `class`, softmax for `probabilities`; None for `none`.
  """
  if condition == "none":
    return None
  if condition == "class":
    return jax.nn.one_hot(jnp.argmax(logits, -1), logits.shape[-1])
  return jax.nn.softmax(logits.astype(jnp.float32), -1)


def make(
  views: Sequence[Deidentifier],
  preset: vqvae.Preset,
  code_dim: int,
  quantizer: Quantizer,
  dtype,
  *,
  tokens: int = 0,
  size: int = 0,
  condition: str = "none",
  soft: bool = False,
  answers: int = 0,
  release: Callable | None = None,
  refine: bool = False,
  find_landmarks: Callable | None = None,
  finish: Callable | None = None,
) -> Generator:
  """A generator for faces whose height and width divide by `vqvae.STRIDE`.

  Args:
    views: the de-identifiers whose outputs are fused, at least one.
    preset: widths of encoder and decoder.
    code_dim: channels of z_e.
    quantizer: see quantizers/.
    dtype: what the convolutions compute in; codes, distances and the image stay float32.
    tokens: codes that describe a face in all; 0: one for every STRIDE x STRIDE pixels, as in the paper.
    size: side of the faces, pixels; needed with tokens.
    condition: one of `CONDITIONS`.
    soft: once trained on classes, the decoder receives probabilities: where the service doubts, a face is bent less.
    answers: classes of the service; needed with a condition.
    refine: the decoder's image, without its colours, changes the first view (their logits are added) and does not
      stand for itself.
    find_landmarks: (params, image [B, H, W, 3]) -> [B, 68, 2], for views and `finish`; its params are the last of
      `views_params`, after those of the views. None: faces keep the landmarks that they come with.
    finish: (one face, image [H, W, 3]) -> image, what happens to a decoded image.
    release: (key, z_e, codes [K, D], ids) -> ids that are given away instead (privacy/guarantees.py); not in training.
  """
  encoder = vqvae.Encoder(preset, code_dim, dtype, tokens)
  grid = (size // vqvae.STRIDE, size // vqvae.STRIDE)
  decoder = vqvae.Decoder(preset, dtype, tokens, grid, answers if condition != "none" else 0)

  def placed(views_params, face):
    if not find_landmarks:
      return face
    return face._replace(landmarks=jax.lax.stop_gradient(find_landmarks(views_params[-1], face.image)))

  def init(key, views_params, face):
    face = placed(views_params, face)
    view_key, encoder_key, quantizer_key, decoder_key = jax.random.split(key, 4)
    stacked = vqvae.views_to_channels(make_views(views, views_params, face, view_key))
    encoder_params = encoder.init(encoder_key, stacked[:1])
    z_e = jnp.asarray(encoder.apply(encoder_params, stacked))
    codebook, model_state = quantizer.init(quantizer_key, z_e.reshape(-1, code_dim))
    params = {"encoder": encoder_params, "quantizer": codebook, "decoder": decoder.init(decoder_key, z_e[:1])}
    return params, model_state

  def encode(params, views_params, face, key):
    face = placed(views_params, face) if face.landmarks is None else face
    stacked = make_views(views, views_params, face, key)
    return encoder.apply(params["encoder"], vqvae.views_to_channels(stacked)), stacked

  def quantize(params, model_state, z_e):
    return quantizer.apply(params["quantizer"], model_state, z_e, jax.random.key(0), train=False, mask=None).ids

  def decode(params, model_state, ids, answer):
    return decoder.apply(params["decoder"], quantizer.decode(params["quantizer"], model_state, ids), answer)

  def apply(params, model_state, views_params, face, key, *, train, mask=None, answer=None):
    view_key, quantizer_key = jax.random.split(key)
    face = placed(views_params, face)
    z_e, stacked = encode(params, views_params, face, view_key)
    quantized = quantizer.apply(params["quantizer"], model_state, z_e, quantizer_key, train=train, mask=mask)
    if release and not train:
      codes = quantizer.decode(params["quantizer"], model_state, jnp.arange(quantizer.num_codes))
      ids = release(jax.random.fold_in(quantizer_key, 1), z_e, codes, quantized.ids)
      quantized = quantized._replace(ids=ids, z_q=quantizer.decode(params["quantizer"], model_state, ids))
    image = jnp.asarray(decoder.apply(params["decoder"], quantized.z_q, answer))
    if refine:
      # The same for all channels: a service that sees grey would else have the face painted in colours it ignores.
      image = jax.nn.sigmoid(_logit(stacked[:, 0]) + jnp.mean(_logit(image), -1, keepdims=True))
    if finish:
      image = jax.vmap(finish)(face, image)
    chex.assert_equal_shape([image, face.image])
    return Generated(image, stacked, quantized)

  in_use = "probabilities" if soft and condition == "class" else condition
  return Generator(init, apply, encode, quantize, decode, condition, in_use)
