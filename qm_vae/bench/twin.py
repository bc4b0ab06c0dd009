"""The same network and loss in PyTorch, a peer to measure against; the only file here that imports torch.

It is written as PyTorch is written best for speed: channels last, its own convolutions, pooling and pixel shuffle, a
fused Adam, counts and sums of the codebook without one-hot matrices, no wait for a number.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from qm_vae.errors import InputError
from qm_vae.models.vqvae import Preset
from qm_vae.services.expression import LUMA

VERSION = torch.__version__
_SERVICE_SIZE = 64  # as workload.py has it


def tensor(array, device="cpu") -> torch.Tensor:
  """An array [B, H, W, C] as a tensor [B, C, H, W] whose memory is channels last."""
  return torch.from_numpy(np.array(array)).to(device).permute(0, 3, 1, 2)


def _conv(kernel, bias=None, *, stride=1, padding=0, groups=1):
  """A convolution with a Flax kernel [h, w, in, out]."""
  weight = torch.from_numpy(np.array(kernel)).permute(3, 2, 0, 1)
  layer = nn.Conv2d(
    weight.shape[1] * groups, weight.shape[0], weight.shape[2:], stride, padding, groups=groups, bias=bias is not None
  )
  with torch.no_grad():
    layer.weight.copy_(weight)
    if bias is not None:
      layer.bias.copy_(torch.from_numpy(np.array(bias)))
  return layer


class ResidualStack(nn.Module):
  """See `vqvae.ResidualStack`."""

  def __init__(self, params):
    super().__init__()
    kernels = [params[f"Conv_{i}"]["kernel"] for i in range(len(params))]
    self.wide = nn.ModuleList(_conv(kernel, padding=1) for kernel in kernels[::2])
    self.narrow = nn.ModuleList(_conv(kernel) for kernel in kernels[1::2])

  def forward(self, x):
    """[B, C, h, w], same shape."""
    for wide, narrow in zip(self.wide, self.narrow, strict=True):
      x = x + narrow(F.relu(wide(F.relu(x))))
    return F.relu(x)


class SubPixel(nn.Module):
  """See `vqvae.SubPixel`; the phases stand last in a pixel shuffle's channels."""

  def __init__(self, params):
    super().__init__()
    kernel, bias = np.array(params["Conv_0"]["kernel"]), np.array(params["Conv_0"]["bias"])
    shuffled = lambda a: a.reshape(*a.shape[:-1], 4, -1).swapaxes(-1, -2).reshape(a.shape)
    self.conv = _conv(shuffled(kernel), shuffled(bias), padding=1)

  def forward(self, x):
    """[B, C, H, W] -> [B, features, 2 H, 2 W]."""
    return _smooth(F.pixel_shuffle(self.conv(x), 2))


def _smooth(x):
  x = F.pad(x, (1, 1, 1, 1), mode="replicate")
  x = (x[:, :, :-2] + 2 * x[:, :, 1:-1] + x[:, :, 2:]) / 4
  return (x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]) / 4


class Encoder(nn.Module):
  """See `vqvae.Encoder`."""

  def __init__(self, params):
    super().__init__()
    of = lambda i, **keywords: _conv(params[f"Conv_{i}"]["kernel"], params[f"Conv_{i}"]["bias"], **keywords)
    self.first, self.second = of(0, stride=2, padding=1), of(1, stride=2, padding=1)
    self.third, self.stack, self.last = of(2, padding=1), ResidualStack(params["ResidualStack_0"]), of(3)

  def forward(self, views):
    """[B, 3 V, H, W] in [0, 1] -> z_e [B, D, H/4, W/4]."""
    x = F.relu(self.first(views - 0.5))
    return self.last(self.stack(self.third(F.relu(self.second(x)))))


class Decoder(nn.Module):
  """See `vqvae.Decoder`."""

  def __init__(self, params):
    super().__init__()
    self.first = _conv(params["Conv_0"]["kernel"], params["Conv_0"]["bias"], padding=1)
    self.stack = ResidualStack(params["ResidualStack_0"])
    self.up = nn.ModuleList(SubPixel(params[f"SubPixel_{i}"]) for i in (0, 1))

  def forward(self, z_q):
    """z_q [B, D, h, w] -> image [B, 3, 4 h, 4 w] in [0, 1]."""
    x = F.relu(self.up[0](self.stack(self.first(z_q))))
    return torch.sigmoid(self.up[1](x))


class MiniXception(nn.Module):
  """See `expression.MiniXception`, in use: its normalisations are those of inference, and nothing of it is trained."""

  def __init__(self, variables):
    super().__init__()
    params, stats = variables["params"], variables["batch_stats"]

    def norm(name):
      layer = nn.BatchNorm2d(len(stats[name]["mean"]), eps=1e-3)
      values = {"weight": params[name]["scale"], "bias": params[name]["bias"]}
      values |= {"running_mean": stats[name]["mean"], "running_var": stats[name]["var"]}
      layer.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in values.items()}, strict=False)
      return layer

    def separable(name):
      depthwise, pointwise = params[name]["depthwise"], params[name]["pointwise"]
      channels = depthwise.shape[-1]
      return nn.Sequential(_conv(depthwise, padding=1, groups=channels), _conv(np.array(pointwise)[None, None]))

    stem = []
    for i in (1, 2):
      stem += [_conv(params[f"conv_{i}"]["kernel"]), norm(f"norm_{i}"), nn.ReLU()]
    self.stem, self.modules_, self.shortcuts = nn.Sequential(*stem), nn.ModuleList(), nn.ModuleList()
    for i in range(1, 5):
      name = f"module_{i}"
      kernel = np.array(params[f"{name}_shortcut"]["kernel"])[None, None]
      self.shortcuts.append(nn.Sequential(_conv(kernel, stride=2), norm(f"{name}_shortcut_norm")))
      first = [separable(f"{name}_separable_1"), norm(f"{name}_norm_1"), nn.ReLU()]
      self.modules_.append(nn.Sequential(*first, separable(f"{name}_separable_2"), norm(f"{name}_norm_2")))
    self.logits = _conv(params["logits"]["kernel"], params["logits"]["bias"], padding=1)
    self.eval().requires_grad_(False)

  def forward(self, image):
    """RGB [B, 3, H, W] in [0, 1] -> logits [B, classes]."""
    grey = sum(weight * image[:, i : i + 1] for i, weight in enumerate(LUMA))
    if grey.shape[-1] != _SERVICE_SIZE:
      grey = F.interpolate(grey, (_SERVICE_SIZE,) * 2, mode="bilinear", antialias=True)
    x = self.stem(grey * 2 - 1)
    for body, shortcut in zip(self.modules_, self.shortcuts, strict=True):
      x = _max_pool(body(x)) + shortcut(x)
    return self.logits(x).mean((2, 3))


def _max_pool(x):
  """3x3 at stride 2, padded as 'SAME' pads: at the end of an even side, at both of an odd one."""
  h, w = x.shape[2:]
  x = F.pad(x, (w % 2, 1, h % 2, 1), value=float("-inf"))
  return F.max_pool2d(x, 3, 2)


class Codebook(nn.Module):
  """See `quantize.vq` with the EMA codebook, its restart of dead codes included."""

  def __init__(self, state, *, decay=0.99, epsilon=1e-5, dead_code_threshold=0.2):
    super().__init__()
    for name in ("codebook", "counts", "sums"):
      self.register_buffer(name, torch.from_numpy(np.array(getattr(state, name))))
    self.decay, self.epsilon, self.dead_code_threshold = decay, epsilon, dead_code_threshold

  def forward(self, z_e):
    """z_e [B, D, h, w] -> (z_q with z_e's gradient, ids [B, h, w], mean squared distance to z_q for the encoder)."""
    z = z_e.permute(0, 2, 3, 1)
    flat = z.reshape(-1, z.shape[-1])
    with torch.no_grad():
      distance = torch.addmm(0.5 * self.codebook.square().sum(1), flat, self.codebook.t(), alpha=-1)
      ids = distance.argmin(1)
      e = self.codebook[ids].view(z.shape)
      self._update(flat, ids)
    commitment = (z - e).square().mean()
    z_q = z + (e - z).detach()
    return z_q.permute(0, 3, 1, 2), ids.view(z.shape[:-1]), commitment

  def _update(self, flat, ids):
    num = len(self.counts)
    counts = torch.bincount(ids, minlength=num).to(flat.dtype)
    sums = torch.zeros_like(self.sums).index_add_(0, ids, flat)
    self.counts.mul_(self.decay).add_(counts, alpha=1 - self.decay)
    self.sums.mul_(self.decay).add_(sums, alpha=1 - self.decay)
    total = self.counts.sum()
    smoothed = (self.counts + self.epsilon) / (total + num * self.epsilon) * total
    torch.div(self.sums, smoothed[:, None], out=self.codebook)
    mean = self.counts.mean()
    dead = self.counts < self.dead_code_threshold * mean
    drawn = flat[torch.randint(len(flat), (num,), device=flat.device)]
    self.counts.copy_(torch.where(dead, mean, self.counts))
    self.codebook.copy_(torch.where(dead[:, None], drawn, self.codebook))
    self.sums.copy_(torch.where(dead[:, None], drawn * mean, self.sums))


class Twin(nn.Module):
  """The core of the train step (core.py) with the weights of a `core.Core`, and Adam.

  Args:
    preset: widths of the network, checked against the weights.
    params: {"encoder", "decoder"} of the Flax networks.
    carried: `ema.State`.
    service: variables of the mini-Xception.
    weights: `losses.Weights`.
    learning_rate: Adam's.
    dtype: "float32", or "bfloat16": the convolutions then compute in that.
    device: a torch device.
  """

  def __init__(
    self, preset: Preset, params, model_state, service, weights, learning_rate, dtype="float32", device="cpu"
  ):
    super().__init__()
    self.encoder = Encoder(params["encoder"]["params"])
    self.decoder = Decoder(params["decoder"]["params"])
    if self.encoder.third.out_channels != preset.hidden:
      raise InputError(f"the weights have {self.encoder.third.out_channels} channels, the preset {preset.hidden}")
    self.codes, self.service = Codebook(model_state), MiniXception(service)
    self.alpha, self.beta, self.of_service = (float(w) for w in (weights.alpha, weights.beta, weights.service))
    self.low = torch.bfloat16 if dtype == "bfloat16" else None
    self.to(device, memory_format=torch.channels_last)
    trained = [*self.encoder.parameters(), *self.decoder.parameters()]
    self.adam = torch.optim.Adam(trained, lr=learning_rate, fused=True)

  def loss(self, views, image):
    """Loss and output [B, 3, H, W] for views [B, 3 V, H, W] of the originals [B, 3, H, W]; the codebook moves on."""
    with torch.no_grad():
      answer = self.service(image).argmax(1)
    low = lambda: torch.autocast(views.device.type, self.low or torch.float32, enabled=self.low is not None)
    with low():
      z_e = self.encoder(views)
    z_q, ids, commitment = self.codes(z_e.float())
    with low():
      x_hat = self.decoder(z_q)
    x_hat = x_hat.float()
    service = F.cross_entropy(self.service(x_hat), answer)
    mse = F.mse_loss(x_hat, image)
    loss = self.alpha * self.of_service * service + (1 - self.alpha) * mse + self.beta * commitment
    return loss + commitment.detach(), x_hat, ids

  def step(self, views, image):
    """One update; returns the loss, a tensor that nobody waited for."""
    loss, _, _ = self.loss(views, image)
    loss.backward()
    self.adam.step()
    self.adam.zero_grad(set_to_none=True)
    return loss.detach()


def threads() -> int:
  """Threads that one operation uses on a CPU."""
  return torch.get_num_threads()


def sees_a_gpu() -> bool:
  """Whether this PyTorch can compute on a GPU."""
  return torch.cuda.is_available()


def compiled(twin: Twin):
  """The twin's step with its forward and backward pass through torch.compile, where the codebook stays as it is."""
  for name in ("encoder", "decoder", "service"):
    setattr(twin, name, torch.compile(getattr(twin, name)))
  return twin.step


def finished(loss: torch.Tensor) -> torch.Tensor:
  """The loss, once the device is done with the step."""
  if loss.is_cuda:
    torch.cuda.synchronize(loss.device)
  return loss
