"""The attacker who learns from protected pictures of other people (Newton et al. 2005; McPherson et al. 2016)."""

from qm_vae.privacy import contract, protocol
from qm_vae.privacy.attackers import learning

EPOCHS = 4
_LEARNING_RATE = 3e-4


def make(tools) -> contract.Attacker:
  """An embedder that is trained further on protected faces; it compares protected faces with protected ones."""

  def fit(train):
    several = train.take(protocol.several_faces(train.identity))
    embed, losses = learning.adapt("parrot", tools, several, epochs=EPOCHS, learning_rate=_LEARNING_RATE, towards=None)

    def scores(gallery, probe):
      return embed(probe.protected, probe.protected_eyes) @ embed(gallery.protected, gallery.protected_eyes).T

    return contract.Attack(scores, losses)

  def unmet_requirements(train):
    return learning.unmet_requirements(train) if tools.embedder else learning.NO_EMBEDDER

  return contract.Attacker(fit, gallery="protected", unmet_requirements=unmet_requirements, trains=True)
