"""The attacker who brings clear and protected pictures of one person together."""

from qm_vae.privacy import contract
from qm_vae.privacy.attackers import learning

EPOCHS = 4
_LEARNING_RATE = 3e-4


def make(tools) -> contract.Attacker:
  """Two encoders: the frozen recogniser for clear faces, a trained one that answers alike for protected ones."""

  def fit(train):
    # The person's mean is what the gallery's pictures of that person have in common.
    towards = learning.person_means(tools.embed(train.original, train.eyes), train.identity)
    embed, losses = learning.adapt("cross", tools, train, epochs=EPOCHS, learning_rate=_LEARNING_RATE, towards=towards)

    def scores(gallery, probe):
      return embed(probe.protected, probe.protected_eyes) @ tools.embed(gallery.original, gallery.eyes).T

    return contract.Attack(scores, losses)

  def unmet_requirements(train):
    return learning.unmet_requirements(train) if tools.embedder else learning.NO_EMBEDDER

  return contract.Attacker(fit, gallery="clear", unmet_requirements=unmet_requirements, trains=True)
