"""The improved residual networks of ArcFace, with squeeze and excitation or without: IR-SE50 and IR-152.

Layers carry the names of the public PyTorch implementations (TreB1eN/InsightFace_Pytorch, ZhaoJ9014/face.evoLVe).

Source: Deng et al. 2019, "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", Sec. 3.1; Hu et al. 2018,
"Squeeze-and-Excitation Networks".
"""

import flax.linen as nn
import jax.numpy as jnp

from qm_vae.models.embedder import PReLU

STRIDE = 16
"""Sides of the images divide by it."""

_REDUCTION = 16  # of the channels between squeeze and excitation


class IRResNet(nn.Module):
  """The defaults are IR-SE50: 43.8 million parameters, 11.7 GFLOP forward at 112 x 112.

  IR-152 has `units` (3, 8, 36, 3) and no `squeeze`: 70.7 million, 22.7 GFLOP.
  """

  embedding_size: int = 512
  units: tuple[int, ...] = (3, 4, 14, 3)
  squeeze: bool = True
  widths: tuple[int, ...] = (64, 128, 256, 512)

  @nn.compact
  def __call__(self, x, train: bool = False):
    """Image [B, H, W, 3] in [-1, 1], as large as those it was initialised with -> [B, embedding_size]."""
    norm = lambda name, x: nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5, name=name)(x)
    x = _conv("input_layer.0", self.widths[0], 3)(x)
    x = PReLU(name="input_layer.2")(norm("input_layer.1", x))
    block = 0
    for width, units in zip(self.widths, self.units, strict=True):
      for i in range(units):
        stride = 2 if i == 0 else 1
        x = self._unit(f"body.{block}", norm, x, width, stride)
        block += 1
    x = norm("output_layer.0", x)
    x = jnp.moveaxis(x, -1, 1).reshape(len(x), -1)  # PyTorch flattens channel by channel
    return norm("output_layer.4", nn.Dense(self.embedding_size, name="output_layer.3")(x))

  def _unit(self, place, norm, x, width, stride):
    if x.shape[-1] == width:
      shortcut = x[:, ::stride, ::stride]
    else:
      shortcut = norm(f"{place}.shortcut_layer.1", _conv(f"{place}.shortcut_layer.0", width, 1, stride)(x))
    place = f"{place}.res_layer"
    h = _conv(f"{place}.1", width, 3)(norm(f"{place}.0", x))
    h = _conv(f"{place}.3", width, 3, stride)(PReLU(name=f"{place}.2")(h))
    h = norm(f"{place}.4", h)
    if self.squeeze:
      gate = jnp.mean(h, (1, 2), keepdims=True)
      gate = nn.relu(_conv(f"{place}.5.fc1", width // _REDUCTION, 1)(gate))
      h = h * nn.sigmoid(_conv(f"{place}.5.fc2", width, 1)(gate))
    return shortcut + h


def _conv(name, width, size, stride=1):
  pad = ((size // 2,) * 2,) * 2  # on each side, as PyTorch, also at stride 2
  return nn.Conv(width, (size, size), stride, pad, use_bias=False, name=name)
