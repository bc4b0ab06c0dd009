"""The ridge attacker's regression, against scikit-learn and by what it must recover."""

import numpy as np
from made_up_people import CHANCE, embedder, world
from sklearn.linear_model import RidgeCV

from qm_vae import embedders
from qm_vae.privacy import protocol, ranking
from qm_vae.privacy.attackers import ATTACKERS, Tools
from qm_vae.privacy.attackers.ridge import PENALTIES, ridge


def test_ridge_equals_scikit_learn():
  """Predictions are those of scikit-learn's ridge with the same penalty, which both choose by cross-validation."""
  random = np.random.default_rng(0)
  x, w = random.normal(size=(120, 12)), random.normal(size=(12, 5))
  y = x @ w + random.normal(0, 2.0, (120, 5))
  scale = np.square(np.linalg.svd(x - x.mean(0), compute_uv=False)).mean()
  theirs = RidgeCV(alphas=PENALTIES * scale).fit(x, y)
  further = random.normal(size=(7, 12))
  # Generalised against leave-one-out cross-validation: neighbours of the grid may win, whose predictions are close.
  np.testing.assert_allclose(ridge(x, y)(further) + y.mean(0), theirs.predict(further), atol=0.15)


def test_ridge_recovers_an_exact_map():
  """Without noise the map is exact, whatever directions the embeddings lack."""
  random = np.random.default_rng(1)
  x = random.normal(size=(50, 6)) @ random.normal(size=(6, 20))  # of rank 6
  w = random.normal(size=(20, 4))
  np.testing.assert_allclose(ridge(x, x @ w)(x), (x - x.mean(0)) @ w, atol=2e-2)  # the least penalty is not 0


def test_ridge_undoes_what_fools_a_frozen_recogniser():
  """A method that turns every embedding by the same rotation hides people from `naive` and not from `ridge`."""
  turn = lambda image, random: image[:, ::-1, :, ::-1].copy()  # rows and colours in another order
  pairs, projection = world(turn), embedder()
  chosen = protocol.choose(pairs.identity, people=30, probes=3, seed=0)
  gallery, probe, train = (pairs.take(rows) for rows in (chosen.gallery, chosen.probe, chosen.attack))
  rates = {}
  for name in ("naive", "ridge"):
    attack = ATTACKERS[name](Tools(embedders.on_host(projection), projection, None, 1.0)).fit(train)
    rates[name] = ranking.rank_rate(attack.scores(gallery, probe), probe.identity, gallery.identity, 1)
  assert rates["naive"].high < 6 * CHANCE < rates["ridge"].low
