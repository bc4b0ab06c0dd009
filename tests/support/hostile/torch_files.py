"""PyTorch files: zip archives around a pickle."""

import io
import pickle
import zipfile

import numpy as np

from hostile.spoiling import spoil_bytes
from hostile.verdicts import Kind


def _torch_pickle(storages):
  """A state dict of two tensors, by hand: MARK-free opcodes of protocol 2."""
  body = b"\x80\x02}"  # PROTO 2, EMPTY_DICT

  def piece(obj):
    stream = io.BytesIO()
    pickle.Pickler(stream, 2).dump(obj)
    return stream.getvalue()[2:-1]  # without PROTO and STOP

  for key, (kind, size, shape, strides) in storages.items():
    pid = b"(" + piece("storage") + f"ctorch\n{kind}\n".encode() + piece(key) + piece("cpu") + piece(size) + b"tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + pid + piece(0) + piece(shape) + piece(strides)
    tensor += b"\x89" + b"ccollections\nOrderedDict\n)R" + b"tR"
    body += piece(f"layer.{key}") + tensor + b"s"
  return body + b"."


def _torch(folder, change=None, extra=b""):
  storages = {"0": ("FloatStorage", 6, (2, 3), (3, 1)), "1": ("FloatStorage", 4, (4,), (1,))}
  storages.update(change or {})
  with zipfile.ZipFile(folder / "net.pt", "w") as archive:
    archive.writestr("net/data.pkl", extra or _torch_pickle(storages))
    archive.writestr("net/byteorder", "little")
    archive.writestr("net/data/0", np.arange(6, dtype="<f4").tobytes())
    archive.writestr("net/data/1", np.arange(4, dtype="<f4").tobytes())


def _bomb(rng):
  """A small pickle that unfolds: doubling texts, tuples of themselves, a memo of 2**31, keys that hash for ages."""
  memo = b"\x80\x02" + b"(lq\x00"
  kind = rng.randrange(8)
  if kind == 0:  # a memo index far away allocates the memo
    return b"\x80\x02}r\xff\xff\xff\x0f."
  if kind == 1:  # nested tuples used as a key: hashing visits 2**60
    return b"\x80\x02})" + b"2\x86" * 60 + b"Ns."
  if kind == 2:
    return b"\x80\x02" + b"(" * 100_000 + b"."
  if kind == 3:  # a long integer of many digits
    return b"\x80\x02I" + b"9" * 100_000 + b"\n."
  if kind == 4:
    return b"\x80\x04\x96" + (2**40).to_bytes(8, "little") + b"."  # BYTEARRAY8 that claims a terabyte
  if kind == 5:
    return memo + b"h\x00a" * 1000 + b"."
  if kind == 6:  # an enormous name
    return b"\x80\x02ccollections\n" + b"OrderedDict" * 10_000 + b"\n."
  return b"\x80\x02cos\nsystem\n(X\x05\x00\x00\x00touchtR."


def _spoil_torch(rng, folder):
  how = rng.random()
  if how < 0.35:
    path = folder / "net.pt"
    path.write_bytes(spoil_bytes(rng, path.read_bytes()))
  elif how < 0.55:
    content = spoil_bytes(rng, _torch_pickle({"0": ("FloatStorage", 6, (2, 3), (3, 1))}))
    _torch(folder, extra=content or b".")
  elif how < 0.8:
    shape = rng.choice(((2**31, 0), (2**31,) * 3, (1,) * 200, (2**20,), (2**28,), (2**40, 0), (0, 2**62), (10**30,)))
    strides = rng.choice(((0,) * len(shape), (1,) * len(shape), (2**62,) * len(shape)))
    size = rng.choice((6, 1, 2**33, 0))
    _torch(folder, {"0": ("FloatStorage", size, shape, strides)})
  else:
    bomb = _bomb(rng)
    if rng.random() < 0.5:
      _torch(folder, extra=bomb)
    else:
      (folder / "net.pt").write_bytes(bomb)
  return "net.pt"


def _read_torch(folder):
  from qm_vae.convert import torch_file

  return torch_file.load(folder / "net.pt")


KINDS = {"PyTorch": Kind(_torch, _spoil_torch, _read_torch, apart=True)}
"""By name."""
