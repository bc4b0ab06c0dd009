"""Memorisation in a report: who is held out, and that a copy of training faces is noticed."""

import numpy as np

from qm_vae import embedders, types
from qm_vae.evaluate import memorized
from qm_vae.training.state import Split

NUM = 120


def faces(identity, seed):
  count = len(identity)
  image = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3)).astype(np.uint8)
  zeros = np.zeros(count, np.int32)
  return types.FaceSet(
    image, image[..., :1], np.zeros((count, 4), np.float32), np.zeros((count, 3), np.float32),
    np.asarray(identity, np.int32), zeros, zeros, tuple(map(str, range(count))), (), (), (),
  )  # fmt: skip


def pixels(image, eyes):
  return image.reshape(len(image), -1) / 255.0 - 0.5


RECOGNISER = embedders.LoadedEmbedder("pixels", pixels, None, "made up", "0")
TRAIN = faces(np.arange(NUM), 0)


def test_memorized_copies_of_training_faces_are_noticed():
  """Outputs that are training faces all pass the threshold, others as seldom as held-out faces do."""
  test = faces(np.arange(NUM, 2 * NUM), 1)
  images = {"qm_vae": TRAIN.image, "aligned_mean": faces(np.arange(NUM), 2).image}
  found = memorized.measure(Split(TRAIN, test, None, 2 * NUM, 0), images, [RECOGNISER])
  (copied,), (other,) = found["qm_vae"], found["aligned_mean"]
  assert copied["outputs"]["value"] == 1 and copied["difference"]["low"] > 0.9 and copied["auc"]["value"] == 1
  assert other["outputs"]["value"] < 0.1 and copied["embedder"] == "pixels"
  assert copied["outputs"]["n"] == copied["held_out"]["n"] == NUM


def test_memorized_leaves_out_people_who_train():
  """Test faces of training people and of nobody known are not held out; too few leave nothing to measure."""
  identity = np.concatenate([np.arange(20), [types.UNKNOWN] * 10, np.arange(NUM, 2 * NUM)])
  split = Split(TRAIN, faces(identity, 1), None, 0, 0)
  assert memorized.unmet(split, ["recogniser"]) == ""
  found = memorized.measure(split, {"qm_vae": split.test.image}, [RECOGNISER])
  assert found["qm_vae"][0]["held_out"]["n"] == NUM and found["qm_vae"][0]["difference"]["value"] == 0
  few = Split(TRAIN, faces(identity[:40], 1), None, 0, 0)
  assert "10 test faces" in memorized.unmet(few, ["recogniser"]) and "100 are needed" in memorized.unmet(few, ["x"])
  for nobody in ([], [""]):
    assert memorized.unmet(split, nobody) == "config.privacy.embedders names no recogniser"
