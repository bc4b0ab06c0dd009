"""Averages over the time around a frame."""

import numpy as np

from qm_vae.deidentify.tracking.averaging import Averager

TAU = 0.2  # seconds


def averaged(values, rate, known_ahead=10**6, track=1):
  """The averages of a clip of `rate` frames a second; at each frame so many of those after it are known."""
  averager, made = Averager(TAU), []
  for n in range(len(values)):
    for i in range(n, min(n + known_ahead + 1, len(values))):
      if not averager.knows(track, i / rate):
        averager.add(track, i / rate, values[i])
    averager.forget(n / rate)
    made.append(averager.at(track, n / rate))
  return np.stack(made)


def test_averager_is_an_exponential_average_forward_and_backward():
  """Where all is known, it is an exponential average that runs forward, and then backward over its own result."""
  values, rate = np.random.default_rng(0).random((200, 3)), 25
  share = 1 - np.exp(-1 / (TAU * rate))
  there = np.empty_like(values)
  there[0] = values[0]
  for n in range(1, 200):
    there[n] = there[n - 1] + share * (values[n] - there[n - 1])
  back = there.copy()
  for n in range(198, -1, -1):
    back[n] = back[n + 1] + share * (there[n] - back[n + 1])
  inner = np.s_[60:140]  # far from the ends; the weights beyond the reach add up to less than exp(-4)
  np.testing.assert_allclose(averaged(values, rate)[inner], back[inner], atol=np.exp(-4))
  assert np.abs(back[inner] - values[inner]).mean() > 5 * np.abs(averaged(values, rate)[inner] - back[inner]).mean()


def test_averager_does_not_lag_where_later_frames_are_known():
  """A change is half done in the frame in which it happens; with no later frames known it comes later."""
  step = np.repeat([[1.0, 0.0], [0.0, 1.0]], 50, 0)
  assert averaged(step, 25).argmax(-1).tolist() == step.argmax(-1).tolist()
  late = averaged(step, 25, known_ahead=0).argmax(-1)
  assert late.tolist() == [0] * 53 + [1] * 47  # half of it is done after TAU * ln 2 = 0.14 s
  np.testing.assert_allclose(averaged(step, 25).sum(-1), 1)


def test_averager_counts_seconds_and_not_frames():
  """A clip of twice the rate has the same averages at the same times."""
  signal = lambda t: np.stack([np.sin(3 * t), np.cos(3 * t)], -1)
  slow, fast = (averaged(signal(np.arange(8 * rate) / rate), rate) for rate in (25, 50))
  # The sum over 0.04 s steps instead of the integral errs by a twelfth of (0.04 / TAU) squared, 0.003.
  np.testing.assert_allclose(slow[25:-25], fast[::2][25:-25], atol=0.006)


def test_averager_keeps_tracks_apart_and_forgets():
  """What another track shows does not count, and nothing is kept that no later average needs."""
  values = np.eye(2)[np.arange(400) % 2]
  averager = Averager(TAU)
  averager.add(1, 0.0, values[0])
  averager.add(2, 0.0, values[1])
  np.testing.assert_array_equal(averager.at(1, 0.0), values[0])
  np.testing.assert_array_equal(averager.at(2, 0.0), values[1])
  for n in range(1, 400):
    averager.add(1, n / 25, values[n])
    averager.forget(n / 25)
  assert not averager.knows(2, 0.0) and averager.knows(1, 399 / 25 - averager.reach / 2)
  assert sum(averager.knows(1, n / 25) for n in range(400)) <= averager.reach * 25 + 2
