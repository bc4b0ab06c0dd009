"""From a config to a QM-VAE run past the paper: every term from its keys, the promises, and who may not judge."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import one_code, private, smoke
from qm_vae.data.batches import batches, to_face
from qm_vae.embedders import network
from qm_vae.experiments import assemble, provenance, resolve
from qm_vae.io import networks as network_file
from qm_vae.services import attributes, expression
from qm_vae.types import EXPRESSIONS


def save_expression(folder, seed):
  meta = expression.describe("resnet", 16, EXPRESSIONS, options={"widths": [4, 8]})
  variables = expression.network(meta).init(jax.random.key(seed), jnp.zeros((1, 16, 16, 1)))
  network_file.save(folder, meta, jax.device_get(variables))
  return str(folder)


def save_embedder(folder, seed):
  meta = network.describe("small", (16, 16), (5, 7, 11, 7))
  variables = network.network(meta).init(jax.random.key(seed), jnp.zeros((1, 16, 16, 3)))
  network_file.save(folder, meta, jax.device_get(variables))
  return str(folder)


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
  folder = tmp_path_factory.mktemp("networks")
  made = {name: save_expression(folder / name, seed) for seed, name in enumerate(("service", "other", "judge"))}
  return made | {name: save_embedder(folder / name, seed) for seed, name in enumerate(("trains", "judges"))}


@pytest.fixture
def config(networks, tmp_path):
  made = one_code.get_config()
  small = smoke.get_config()
  made.image_size, made.data, made.batch_size = 32, small.data, 4
  made.data.limit = 24
  made.cache_dir = str(tmp_path)
  made.service.checkpoint = networks["service"]
  made.ensemble.other.checkpoint = networks["other"]
  made.judges.second.checkpoint = networks["judge"]
  made.recognisers, made.privacy.embedders = (networks["trains"],), (networks["judges"],)
  return made


@pytest.mark.slow
def test_qm_vae_run_every_term_built_one_step(config):
  """Every term is built and one step is finite."""
  for term in config.terms.values():
    term.weight = 0.01
  config.target.image, config.target.outside_face = "blur", True
  config = resolve.resolve(config)
  experiment = assemble.experiment(config)
  faces = experiment.data.train
  batch = next(iter(batches(faces, np.arange(len(faces)), 4, pad=False)))
  state = jax.jit(experiment.task.init)(jax.random.key(0), experiment.frozen, batch)
  assert set(state.params["terms"]) == {"discriminator", "parrot"}
  state, terms = jax.jit(experiment.task.step)(state, experiment.frozen, batch, experiment.weights, jax.random.key(1))
  assert set(config.terms) <= set(terms)
  for name, value in terms.items():
    assert np.isfinite(value).all(), name
  for leaf in jax.tree.leaves(state.params):
    assert np.isfinite(leaf).all()
  assert experiment.parts.guarantee == {
    "mechanism": "exponential", "tokens": 1, "codes": 64, "answers": 7, "epsilon": 0.1, "epsilon_per_code": 0.1,
  }  # fmt: skip
  networks = {"service", "ensemble.other", "judges.second", "embedder 0"}
  assert set(provenance.digests(config, experiment)["networks"]) == networks


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (lambda c, n: c.judges.second.update(checkpoint=n["other"]), "config.judges.second.checkpoint is the same network"),
    (lambda c, n: c.terms.identity.update(weight=1.0) or c.update(recognisers=()), "config.recognisers is empty"),
    (lambda c, n: c.terms.parrot.update(weight=1.0) or c.update(recognisers=()), "config.recognisers is empty"),
    (lambda c, n: c.update(recognisers=(n["judges"],)), "every recogniser of config.privacy.embedders also trains"),
  ],
)
def test_qm_vae_run_cannot_built_refused_key(config, networks, change, message):
  """What cannot be built is refused by its key."""
  change(config, networks)
  with pytest.raises(ValueError, match=message):
    assemble.experiment(config)


def test_qm_vae_run_promises_follow_release(config):
  """Promises follow the release."""
  message = lambda: assemble.experiment(config).parts.guarantee
  config.release.mechanism = "none"
  assert message()["bits"] == pytest.approx(6 + np.log2(7))
  config.release.mechanism = "k_same"
  assert (message()["k"], message()["answers"]) == (5, 1)
  config.release.mechanism, config.condition.answer = "none", "probabilities"
  assert message() is None


def test_qm_vae_run_of_a_stranger(networks, tmp_path):
  """configs/private.py sees the mean of other faces, and replaces the face from brow to chin alone."""
  made, small = private.get_config(), smoke.get_config()
  made.image_size, made.data, made.batch_size, made.cache_dir = 32, small.data, 4, str(tmp_path)
  made.data.limit, made.deid.warped_mean.k, made.privacy.embedders = 24, 2, (networks["judges"],)
  made.service.checkpoint = networks["service"]
  made.ensemble.other.checkpoint = networks["other"]
  made.judges.second.checkpoint = networks["judge"]
  experiment = assemble.experiment(made)
  face = to_face(next(iter(batches(experiment.data.train, np.arange(4), 4, pad=True))))
  generator, views = experiment.parts.generator, experiment.frozen["views"]
  params, state = generator.init(jax.random.key(0), views, face)
  answer = jnp.zeros((4, len(EXPRESSIONS)))
  image = generator.apply(params, state, views, face, jax.random.key(1), train=False, answer=answer).image
  changed = np.abs(np.asarray(image) - face.image).max(-1) > 1e-6
  assert changed[:, 14:22, 12:20].mean() > 0.9
  assert not changed[:, 0].any() and not changed[:, :, 0].any()


@pytest.mark.slow
def test_qm_vae_run_smiles_judge(config, tmp_path):
  """A network of CelebA's smiles judges beside one of expressions; one of other attributes is refused."""
  for names in (("Young", "Smiling"), ("Young", "Bald")):
    meta = attributes.describe("resnet", 32, names) | {"options": {"widths": [4, 8]}}
    variables = expression.network(meta).init(jax.random.key(5), jnp.zeros((1, 32, 32, 3)))
    network_file.save(tmp_path / names[1], meta, jax.device_get(variables))
  config.judges.smiles = dict(config.judges.second, checkpoint=str(tmp_path / "Smiling"))
  experiment = assemble.experiment(resolve.resolve(config))
  judge = experiment.parts.judges["smiles"]
  assert judge.classes == ("Smiling",) and experiment.parts.judges["second"].classes == EXPRESSIONS
  image = experiment.data.test.image[:2].astype(np.float32) / 255
  whole = attributes.load(tmp_path / "Smiling")
  np.testing.assert_array_equal(judge.apply(judge.params, image)[:, 0], whole.apply(whole.params, image)[:, 1])
  config.judges.smiles.checkpoint = str(tmp_path / "Bald")
  with pytest.raises(ValueError, match=r"judges\.smiles\.checkpoint tells Young, Bald"):
    assemble.experiment(resolve.resolve(config))
