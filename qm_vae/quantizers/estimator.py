"""Gradient estimators: how a gradient passes a quantizer, whose own is zero almost everywhere.

Both are derivative rules, so that the value is z_q by construction. In z_q + (z_e - stop_gradient(z_e)) it rests on how
a compiler rounds the difference, and for rotation on its doing the same arithmetic twice alike.
"""

import jax
import jax.numpy as jnp


@jax.custom_jvp
def straight_through(z_e, z_q):
  """Value of `z_q` bit for bit, gradient of `z_e`.

  Args:
    z_e: [..., D] encodings.
    z_q: [..., D] codes, same shape and dtype; receives no gradient.

  Returns:
    [..., D] z_q, as if it were z_e in every derivative.

  Source: van den Oord et al. 2017, Sec. 3.2.
  """
  del z_e
  return z_q


@straight_through.defjvp
def _straight_through_jvp(primals, tangents):
  return primals[1], tangents[0]


@jax.custom_jvp
def rotation(z_e, z_q):
  """Value of `z_q` bit for bit, gradient of lambda R z_e with lambda and R held constant.

  R is the rotation that takes the direction of z_e to that of z_q in the plane of both,
  R = I - 2 r r^T + 2 q_hat e_hat^T with r the unit vector along e_hat + q_hat, and lambda = ||z_q|| / ||z_e||. So the
  angle between gradient and code is kept where straight_through keeps the gradient itself.

  Args:
    z_e: [..., D] encodings.
    z_q: [..., D] codes, same shape and dtype; receives no gradient.

  Returns:
    [..., D] z_q, as if it were lambda R z_e in every derivative.

  Source: Fifty et al. 2024, "Restructuring vector quantization with the rotation trick", Sec. 4.
  """
  del z_e
  return z_q


def _norm(x):
  return jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-6)  # keeps zero vectors finite


@rotation.defjvp
def _rotation_jvp(primals, tangents):
  z_e, z_q = primals
  e_hat, q_hat = z_e / _norm(z_e), z_q / _norm(z_q)
  r = (e_hat + q_hat) / _norm(e_hat + q_hat)
  d = tangents[0]
  rotated = d - 2 * jnp.sum(r * d, -1, keepdims=True) * r + 2 * jnp.sum(e_hat * d, -1, keepdims=True) * q_hat
  return z_q, _norm(z_q) / _norm(z_e) * rotated


ESTIMATORS = {"straight_through": straight_through, "rotation": rotation}
