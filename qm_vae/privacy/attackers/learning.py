"""What the attackers share who train an embedder on other people's faces."""

import jax
import numpy as np
import optax

from qm_vae import embedders, types
from qm_vae.data.augment import Augmentation
from qm_vae.privacy import contract, protocol
from qm_vae.privacy.attackers import AttackTraining, Tools
from qm_vae.training import schedule
from qm_vae.training.tasks import embedder

AUGMENTATION = Augmentation(shift=0.03, scale=0.05, flip=0.5, contrast=0.1, brightness=0.05)
MIN_PEOPLE = 40
"""Fewest people with two pictures or more from whom an embedder learns anything of use."""

NO_EMBEDDER = "needs a recogniser whose training can go on: a network's folder, not an ONNX file"
BATCH_SIZE = 32
_HELD_OUT = 0.1  # share of the people on whom the training is tested
_MARGIN = 0.3  # radians
_TOWARDS = 4.0  # weight of the distance to the teacher's embedding


def unmet_requirements(train: contract.Pairs) -> str:
  """Why these faces cannot teach an embedder; '' when they can."""
  return protocol.unmet_requirements(train.identity, MIN_PEOPLE)


def person_means(embedding: np.ndarray, identity: np.ndarray) -> np.ndarray:
  """[N, D] of length 1: for every face the mean embedding of its person; its own where nobody knows who it is."""
  _, person = np.unique(identity, return_inverse=True)
  total = np.zeros((person.max() + 1, embedding.shape[1]), np.float32)
  np.add.at(total, person, embedding)
  means = np.where((identity == types.UNKNOWN)[:, None], embedding, total[person])
  return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)


def adapt(
  name: str, tools: Tools, train: contract.Pairs, *, epochs: int, learning_rate: float, towards: np.ndarray | None
):
  """Trains `tools.embedder` on to know people by their protected faces.

  Args:
    name: of the attacker.
    tools: with an embedder in the graph.
    train: faces of other people than those who will be attacked.
    epochs: passes over them, before `tools.training_scale`.
    learning_rate: Adam's, decaying to 0.
    towards: [N, D] of length 1, what the embedding of each face should be; None: only faces of one person alike.

  Returns:
    (HostEmbedder, losses epoch by epoch).
  """
  columns = {"image": train.protected, "eyes": train.protected_eyes, "identity": train.identity}
  if towards is not None:
    columns["target"] = towards
  network = embedder.adapt(tools.embedder, AUGMENTATION)
  # Each person's direction starts where the recogniser, as it is, sees that person's pictures.
  seen = embedders.on_host(tools.embedder)(train.protected, train.protected_eyes) if towards is None else towards
  params, losses = run(name, tools, network, columns, tools.embedder.params, seen, epochs, learning_rate)
  adapted = types.Embedder(params, tools.embedder.apply, tools.embedder.name)
  return embedders.on_host(adapted), losses


def run(name: str, tools: Tools, network: embedder.Trainable, columns, start, seen, epochs, learning_rate):
  """Trains `network` on `columns`, holding a tenth of the people out.

  Args:
    name: of the attacker.
    tools: see Tools.
    network: what is trained.
    columns: [N, ...] by name: what the network sees, "identity", and "target" where a teacher tells its embedding.
    start: goes to `network.init`.
    seen: [N, D], from whose mean over a person that person's direction in the margin loss starts.
    epochs: passes over the faces, before `tools.training_scale`.
    learning_rate: Adam's, decaying to 0.

  Returns:
    ({"params", and what was carried} of the network, losses epoch by epoch).
  """
  identity = columns["identity"]
  people = np.unique(identity)
  held_out = np.random.default_rng(0).permutation(people)[: max(round(_HELD_OUT * len(people)), 1)]
  test = np.isin(identity, held_out)
  classes, known = np.unique(identity[~test & (identity != types.UNKNOWN)]), identity != types.UNKNOWN
  numbered = np.where(known & ~test, np.searchsorted(classes, identity), types.UNKNOWN).astype(np.int32)
  rows = {name: column[~test] for name, column in (columns | {"identity": numbered}).items()}
  # Faces of one person side by side, so that a batch holds pairs.
  order = np.flatnonzero(test)[np.argsort(identity[test], kind="stable")]
  held = {name: column[order] for name, column in columns.items()}
  epochs = max(round(epochs * tools.training_scale), 2)
  batch_size = min(BATCH_SIZE, len(rows["identity"]))
  steps = epochs * (len(rows["identity"]) // batch_size)
  optimizer = optax.adam(schedule.make("cosine", learning_rate, steps, warmup=steps // 20))
  task = embedder.make(network, len(classes), optimizer, margin=_MARGIN, towards=_TOWARDS * ("target" in columns))
  directions = np.stack([seen[identity == person].mean(0) for person in classes])
  frozen = embedder.Start(start, directions)
  settings = (learning_rate, _MARGIN, _TOWARDS, AUGMENTATION, _HELD_OUT, tools.embedder and tools.embedder.name)
  state, losses = tools.learn(
    AttackTraining(name, task, frozen, types.Table(rows), types.Table(held), epochs, batch_size, settings)
  )
  return {"params": jax.device_get(state.params["network"])} | jax.device_get(state.model_state), losses
