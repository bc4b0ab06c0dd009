"""The twin in another framework computes what ours computes, and a missing one is told of."""

import sys
import types

import jax
import numpy as np
import pytest

from qm_vae.bench import core, peer, workload


def asked(mode="published"):
  return types.SimpleNamespace(setting=workload.Setting(mode=mode))


def test_twin_without_torch_remedy_told(monkeypatch):
  """Without torch the remedy is told."""
  monkeypatch.setitem(sys.modules, "torch", None)
  monkeypatch.delitem(sys.modules, "qm_vae.bench.twin", raising=False)
  with pytest.raises(ValueError, match=r"requirements-torch\.txt"):
    peer.twin_of(asked(), None)


def test_twin_only_published_mode_twin():
  """Only the published mode has a twin."""
  with pytest.raises(ValueError, match="published alone, not of one_code"):
    peer.twin_of(asked("one_code"), None)


@pytest.fixture(scope="module")
def both():
  """(workload, state, views, image, key, twin) with the same weights."""
  pytest.importorskip("torch", reason="requirements-torch.txt is not installed")
  load = workload.make(workload.Setting(image_size=32, batch_size=4, num_codes=32))
  key = jax.random.key(0)
  face = workload.face_of(load.batch)
  views = workload.channels_of(load, face, key)
  state = core.init(load, views, key)
  return load, state, views, face.image, key, peer.twin_of(load, state)


@pytest.mark.slow
def test_twin_output_codes_loss_same(both):
  """Output codes and loss are the same."""
  from qm_vae.bench import twin

  load, state, views, image, key, other = both
  ours = jax.jit(lambda p, c: core.forward(load, p, c, load.service.params, views, image, load.weights, key))
  loss, (x_hat, quantized) = ours(state.params, state.model_state)
  their_loss, their_x_hat, ids = other.loss(twin.tensor(views), twin.tensor(image))
  np.testing.assert_array_equal(ids.numpy(), quantized.ids)
  # Float32 sums of up to 1152 products, in another order.
  np.testing.assert_allclose(their_x_hat.detach().permute(0, 2, 3, 1).numpy(), x_hat, rtol=0, atol=2e-6)
  np.testing.assert_allclose(their_loss.item(), loss, rtol=1e-5)
  np.testing.assert_allclose(other.codes.codebook.numpy(), quantized.state.codebook, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(other.codes.counts.numpy(), quantized.state.counts, rtol=1e-5)


@pytest.mark.slow
def test_twin_service_answers_same(both):
  """The service answers the same."""
  from qm_vae.bench import twin

  load, _, _, image, _, other = both
  theirs = other.service(twin.tensor(image)).numpy()
  np.testing.assert_allclose(theirs, load.service.apply(load.service.params, image), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_twin_few_updates_lead_same_loss(both):
  """A few updates lead to the same loss."""
  from qm_vae.bench import twin

  load, state, views, image, key, _ = both
  other = peer.twin_of(load, state)  # with the weights of the start
  step, theirs = core.step_of(load), (twin.tensor(views), twin.tensor(image))
  state = jax.tree.map(lambda leaf: leaf.copy(), state)  # the step uses up the state it is given
  for _ in range(3):
    state, loss = step(state, load.service.params, views, image, load.weights, key)
    their_loss = other.step(*theirs)
    # Adam divides small gradients by their size, so that rounding grows with every step.
    np.testing.assert_allclose(their_loss.item(), loss, rtol=2e-3)
