"""Images bent so that their landmarks come to lie on others: thin-plate splines."""

import jax.numpy as jnp

from qm_vae.faces import shape

_SMOOTHING = 1e-4
"""Of the spline, share of the squared side: landmarks of one place that disagree by a pixel do not fold the image."""
_STRIDE = 2  # pixels between the places where the spline is evaluated; between them it is nearly linear
_REACH = 0.06  # share of the side by which the anchors lie outside the frame


def anchors(side: int):
  """Twelve points around a square frame of that side, [12, 2], pixels: what is far from the face moves with it."""
  low, high = -_REACH * side, (1 + _REACH) * side
  ticks = (low, side / 3, 2 * side / 3, high)
  return jnp.array([(x, y) for x in ticks for y in ticks if x in (low, high) or y in (low, high)], jnp.float32)


def warp(image, landmarks, target, size):
  """The image with its landmarks moved onto `target`, interpolating by a thin-plate spline between them.

  What lies outside the face follows by the similarity that takes `target` onto `landmarks` as well as any.

  Args:
    image: [H, W, C] floating point, H and W at least 2.
    landmarks: [68, 2], x, y in pixels of the image.
    target: [68, 2], where they shall be, pixels of the output.
    size: (height, width) of the output, pixels.

  Returns:
    [height, width, C]; outside the image its border is repeated.

  Source: Bookstein 1989, "Principal Warps: Thin-Plate Splines".
  """
  around = anchors(max(size))
  around_source = shape.transform(shape.similarity(target, landmarks), around)
  control = jnp.concatenate([target, around])
  offsets = jnp.concatenate([landmarks, around_source])
  return sample(image, spline(control, offsets, size))


def spline(control, values, size):
  """A smooth map [height, width, D] whose values at the points `control` [N, 2] are nearly `values` [N, D].

  It minimises bending plus `_SMOOTHING` times the squared misses; affine values are met exactly.
  """
  scale = max(size)
  points, count = control / scale, len(control)
  affine = jnp.concatenate([jnp.ones((count, 1)), points], 1)
  bending = _radial(points, points) + _SMOOTHING * jnp.eye(count)
  system = jnp.block([[bending, affine], [affine.T, jnp.zeros((3, 3))]])
  weights = jnp.linalg.solve(system, jnp.concatenate([values, jnp.zeros((3, values.shape[-1]))]))
  coarse = [-(-side // _STRIDE) for side in size]
  rows, columns = ((jnp.arange(n) + 0.5) * _STRIDE / scale for n in coarse)
  places = jnp.stack(jnp.meshgrid(columns, rows), -1).reshape(-1, 2)
  basis = jnp.concatenate([_radial(places, points), jnp.ones((len(places), 1)), places], 1)
  values = (basis @ weights).reshape(*coarse, -1)
  return _fine(_fine(values, 0), 1)[: size[0], : size[1]]


def sample(image, places):
  """Bilinear samples of the image [H, W, C] at places [..., 2], x, y; its border is repeated outside.

  Coordinates are those of crops: the centre of pixel i is at i + 0.5.
  """
  height, width = image.shape[:2]
  x, y = (jnp.clip(places[..., i] - 0.5, 0, side - 1) for i, side in ((0, width), (1, height)))
  left, top = (jnp.minimum(jnp.floor(a).astype(jnp.int32), side - 2) for a, side in ((x, width), (y, height)))
  right, below = ((a - low).astype(image.dtype)[..., None] for a, low in ((x, left), (y, top)))
  flat, first = image.reshape(height * width, -1), top * width + left
  tap = lambda offset: flat.at[first + offset].get(mode="promise_in_bounds")
  upper = tap(0) * (1 - right) + tap(1) * right
  lower = tap(width) * (1 - right) + tap(width + 1) * right
  return upper * (1 - below) + lower * below


def _radial(a, b):
  """r^2 log r between points [M, 2] and [N, 2], [M, N]."""
  squared = jnp.sum((a[:, None] - b[None]) ** 2, -1)
  return 0.5 * squared * jnp.log(jnp.maximum(squared, 1e-12))


def _fine(values, axis):
  """`_STRIDE` times as many values along an axis, linear between them and beyond the outermost."""
  values = jnp.moveaxis(values, axis, 0)
  first, last = 2 * values[:1] - values[1:2], 2 * values[-1:] - values[-2:-1]
  wide = jnp.concatenate([first, values, last])
  pieces = []
  for step in range(_STRIDE):
    share = (step + 0.5) / _STRIDE + 0.5  # of the way from the value before, in [0, 2)
    whole = int(share)
    before, after = wide[whole : whole + len(values)], wide[whole + 1 : whole + 1 + len(values)]
    pieces.append(before + (share - whole) * (after - before))
  fine = jnp.stack(pieces, 1).reshape(-1, *values.shape[1:])
  return jnp.moveaxis(fine, 0, axis)
