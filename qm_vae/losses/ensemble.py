"""Further recognisers that must read the wanted answer, so that no pattern which pleases one network will do."""

from collections.abc import Mapping

from qm_vae import losses as terms
from qm_vae.losses import qm_vae
from qm_vae.options import member
from qm_vae.types import Service


@member(needs="ensemble")
def make(services: Mapping[str, Service], service_loss: str) -> terms.Term:
  """The mean of `losses.service_loss` over services that see the augmented output.

  The answer they are asked for is the service's, not their own.

  Args:
    services: of the service's classes in its order; none of them may judge.
    service_loss: one of `losses.SERVICE_LOSSES`.

  Source: ensembles against transferable adversarial patterns, Tramèr et al. 2018.
  """

  def loss(params, frozen, inputs, key):
    del params, key
    each = [
      qm_vae.service_loss(service_loss, inputs.target, one.apply(frozen[name], inputs.seen))
      for name, one in services.items()
    ]
    return sum(each) / len(each)

  return terms.Term({name: one.params for name, one in services.items()}, terms.untrained, loss)
