"""Anti-aliased drawing on a planar canvas, in the coordinates of a posed head.

Coverage of a pixel comes from the signed distance to a shape's edge, measured in pixels (a box filter across the
edge), so that a picture is the same at any size up to its sampling. Every shape touches only its bounding box.
"""

import functools
import math

import numpy as np

ANGLES = 2048
"""Entries of a polar table (see `View.polar`)."""

SHADOW = (0.62, 0.47, 0.44)
"""What a fold or a shadow leaves of the skin's red, green and blue."""


def edge(distance, pixel):
  """Coverage in [0, 1] of a half-plane; `distance` is positive inside, `pixel` the side of a pixel, in one unit."""
  covered = distance * np.float32(1 / pixel)
  covered += np.float32(0.5)
  return _clipped(covered)


def both(a, b):
  """Coverage of the intersection of two regions whose edges run alike; exact also where it is thinner than a pixel."""
  covered = a + b
  covered -= 1
  return np.maximum(covered, 0, out=covered)


def stroke(distance, half_width, pixel):
  """Coverage of a line at `distance` 0; exact also where the line is thinner than a pixel."""
  distance = np.abs(distance)
  return both(edge(half_width - distance, pixel), edge(half_width + distance, pixel))


def dome(u, v, centre, radius):
  """A soft bump of height 1 on an ellipse with half-axes `radius`: (1 - q)^2 inside, 0 outside."""
  q = ((u - centre[0]) * np.float32(1 / radius[0])) ** 2 + ((v - centre[1]) * np.float32(1 / radius[1])) ** 2
  q = np.maximum(1 - q, 0)
  return q * q


def ramp(x, low, high):
  """Smooth step from 0 at `low` to 1 at `high`."""
  t = x - low
  t *= np.float32(1 / (high - low))
  t = _clipped(t)
  return t * t * (3 - 2 * t)


def _clipped(x):
  return np.minimum(np.maximum(x, 0, out=x), 1, out=x)


@functools.lru_cache(maxsize=8)
def _centres(size):
  line = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size) - np.float32(0.5)
  return np.meshgrid(line, line)


class View:
  """The frame's pixels seen from a posed head.

  Head units: origin between crown and chin, u to the right, v down, 1 = half an average head's height. Yaw and pitch
  move what stands out of the picture plane (the parallax of an ellipsoid bulging towards the camera), so features
  shift against the outline while the outline stays; roll turns the whole head.

  Attributes:
    size: side of the frame, pixels.
    pixel: side of a pixel, head units.
    x, y: [size, size] float32, coordinates of the body: no pose.
    flat_u, flat_v: [size, size] float32, coordinates of the head's outline: rolled only.
    u, v: [size, size] float32, coordinates on the head's surface.
  """

  def __init__(self, size, *, scale, shift, yaw, pitch, roll, half_width, half_height):
    self.size = size
    self.pixel = 1 / (size * scale)
    self._scale, self._shift = scale, shift
    self._cos, self._sin = math.cos(roll), math.sin(roll)
    column, row = _centres(size)
    self.x = (column - np.float32(shift[0])) * np.float32(1 / scale)
    self.y = (row - np.float32(shift[1])) * np.float32(1 / scale)
    cos, sin = np.float32(self._cos), np.float32(self._sin)
    self.flat_u = cos * self.x + sin * self.y
    self.flat_v = cos * self.y - sin * self.x
    depth = dome(self.flat_u, self.flat_v, (0, 0), (half_width, half_height))
    # The bulge towards the camera is about three quarters of the half-width.
    self._swing = (0.75 * half_width * math.sin(yaw), -0.75 * half_width * math.sin(pitch))
    self._radii = (half_width, half_height)
    self.u = self.flat_u - np.float32(self._swing[0]) * depth
    self.v = self.flat_v - np.float32(self._swing[1]) * depth

  def to_frame(self, u, v):
    """Pixel coordinates (x, y) in the frame of the point (u, v) of the head's surface; edge of the frame = 0."""
    x, y = u, v
    for _ in range(8):  # the shift is a contraction: at most a third of the distance survives each round
      q = max(1 - (x / self._radii[0]) ** 2 - (y / self._radii[1]) ** 2, 0) ** 2
      x, y = u + self._swing[0] * q, v + self._swing[1] * q
    return self.outline_to_frame(x, y)

  def outline_to_frame(self, u, v):
    """Pixel coordinates (x, y) in the frame of the point (u, v) of the head's outline, which pose leaves in place."""
    x, y = self._cos * u - self._sin * v, self._sin * u + self._cos * v
    return tuple(self.size * (self._scale * c + s + 0.5) for c, s in zip((x, y), self._shift, strict=True))

  def window(self, u0, u1, v0, v1):
    """(rows, columns) slices that contain every pixel whose surface coordinates lie in [u0, u1] x [v0, v1]."""
    u0, u1 = u0 + min(self._swing[0], 0), u1 + max(self._swing[0], 0)
    v0, v1 = v0 + min(self._swing[1], 0), v1 + max(self._swing[1], 0)
    x = [self._cos * u - self._sin * v for u in (u0, u1) for v in (v0, v1)]
    y = [self._sin * u + self._cos * v for u in (u0, u1) for v in (v0, v1)]
    return self._slice(y, self._shift[1]), self._slice(x, self._shift[0])

  def _slice(self, values, shift):
    low = self.size * (self._scale * min(values) + shift + 0.5)
    high = self.size * (self._scale * max(values) + shift + 0.5)
    return slice(min(max(math.floor(low) - 1, 0), self.size), min(max(math.ceil(high) + 2, 0), self.size))

  @functools.cached_property
  def polar(self):
    """(index [size, size] into a table over the angle, radius [size, size]) of the outline's coordinates."""
    radius = np.sqrt(self.flat_u * self.flat_u + self.flat_v * self.flat_v)
    angle = np.arctan2(self.flat_v, self.flat_u)
    index = ((angle + np.float32(math.pi)) * np.float32(ANGLES / (2 * math.pi))).astype(np.int32) % ANGLES
    return index, radius


def polar_table(x, y):
  """(radius, slope factor) [ANGLES] of a star-shaped closed outline given by points in order of their angle.

  The factor turns a difference of radii into a distance from the edge.
  """
  angle = np.arctan2(y, x)
  order = np.argsort(angle)
  grid = (np.arange(ANGLES) + 0.5) * (2 * np.pi / ANGLES) - np.pi
  radius = np.interp(grid, angle[order], np.hypot(x, y)[order], period=2 * np.pi)
  return with_slope(radius)


def with_slope(radius):
  """(radius, slope factor) [ANGLES] float32 for a table of radii."""
  radius = radius.astype(np.float32)
  around = np.concatenate([radius[-1:], radius, radius[:1]])
  slope = (around[2:] - around[:-2]) * np.float32(ANGLES / (4 * np.pi))
  return radius, radius / np.sqrt(radius * radius + slope * slope)


class Canvas:
  """A planar float32 picture [3, size, size] in [0, 1] and the ways to put colour on it."""

  def __init__(self, size):
    self.pixels = np.zeros((3, size, size), np.float32)

  def over(self, window, coverage, colour):
    """Paints `colour` (3 values, or [3, h, w]) over `window` where `coverage` [h, w] says."""
    target = self.pixels[:, window[0], window[1]]
    target += coverage * (_planes(colour) - target)

  def multiply(self, window, coverage, tint):
    """Darkens `window` towards its product with `tint` (3 values in [0, 1]) where `coverage` says."""
    target = self.pixels[:, window[0], window[1]]
    target *= 1 - coverage * (1 - _planes(tint))


def _planes(colour):
  colour = np.asarray(colour, np.float32)
  return colour.reshape(3, 1, 1) if colour.ndim == 1 else colour
