"""The attacker who reads the codes themselves instead of the picture that was made of them."""

import jax
import jax.numpy as jnp
import numpy as np

from qm_vae.data.augment import Augmentation
from qm_vae.models.code_embedder import CodeEmbedder
from qm_vae.privacy import contract
from qm_vae.privacy.attackers import learning
from qm_vae.training.tasks import embedder

EPOCHS = 10
_LEARNING_RATE = 1e-3
_ROWS = 256  # faces at a time


def make(tools) -> contract.Attacker:
  """An embedder of code indices, taught by the clear faces' embeddings; it compares codes with clear faces."""

  def fit(train):
    towards = learning.person_means(tools.embed(train.original, train.eyes), train.identity)
    module = CodeEmbedder(num_codes=int(train.codes.max()) + 1, dim=towards.shape[1])
    see = lambda batch: jnp.minimum(batch["codes"], module.num_codes - 1)  # a code that training never saw
    network = embedder.network(module, see, Augmentation())
    columns = {"codes": train.codes, "identity": train.identity, "target": towards}
    variables, losses = learning.run("codes", tools, network, columns, (), towards, EPOCHS, _LEARNING_RATE)
    apply = jax.jit(lambda variables, codes: module.apply(variables, see({"codes": codes})))

    def scores(gallery, probe):
      rows = [apply(variables, probe.codes[i : i + _ROWS]) for i in range(0, len(probe), _ROWS)]
      embedding = np.concatenate(rows)
      embedding /= np.maximum(np.linalg.norm(embedding, axis=1, keepdims=True), 1e-12)
      return embedding @ tools.embed(gallery.original, gallery.eyes).T

    return contract.Attack(scores, losses)

  def unmet_requirements(train):
    return "only for methods that make codes" if train.codes is None else learning.unmet_requirements(train)

  return contract.Attacker(fit, gallery="clear", unmet_requirements=unmet_requirements, trains=True)
