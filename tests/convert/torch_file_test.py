"""PyTorch's two forms, written here by hand, and what a hostile file may try."""

import collections
import io
import os
import pickle
import struct
import zipfile
from typing import Any, NamedTuple

import numpy as np
import pytest

from qm_vae.convert import torch_file

KINDS = {
  "<f4": "FloatStorage",
  "<f8": "DoubleStorage",
  "<f2": "HalfStorage",
  "<i8": "LongStorage",
  "|b1": "BoolStorage",
}
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001


class Global(NamedTuple):
  """A name that the pickle asks for."""

  module: str
  name: str


class Call(NamedTuple):
  """A call that the pickle asks for."""

  function: Any
  arguments: tuple


class Storage(NamedTuple):
  key: str
  data: np.ndarray
  kind: str
  claimed: int


class Pickler(pickle._Pickler):
  """Writes Globals, Calls and Storages as torch.save does, and remembers the storages."""

  def __init__(self, file):
    super().__init__(file, 2)
    self.storages = {}

  def save(self, obj, save_persistent_id=True):
    if isinstance(obj, Global):
      self.write(f"c{obj.module}\n{obj.name}\n".encode())
    elif isinstance(obj, Call):
      self.save(obj.function)
      self.save(obj.arguments)
      self.write(pickle.REDUCE)
    elif isinstance(obj, Storage):
      self.storages[obj.key] = obj.data
      self.save(("storage", Global("torch", obj.kind), obj.key, "cpu", obj.claimed, None)[: 6 if self.legacy else 5])
      self.write(pickle.BINPERSID)
    else:
      super().save(obj)


def tensor(data, shape=None, strides=None, offset=0, *, key="0", kind=None, claimed=None):
  """A tensor over a storage that holds `data`, flat."""
  data = np.asarray(data)
  shape = data.shape if shape is None else shape
  strides = tuple(s // data.itemsize for s in data.strides) if strides is None else strides
  storage = Storage(key, data.ravel(), kind or KINDS[data.dtype.str], data.size if claimed is None else claimed)
  rebuild = Global("torch._utils", "_rebuild_tensor_v2")
  return Call(rebuild, (storage, offset, shape, strides, False, Call(Global("collections", "OrderedDict"), ())))


def pickled(tree, legacy):
  stream = io.BytesIO()
  pickler = Pickler(stream)
  pickler.legacy = legacy
  pickler.dump(tree)
  return stream.getvalue(), pickler.storages


def write_legacy(path, tree, *, head=(MAGIC, VERSION), little=True, keys=None, cut=0):
  body, storages = pickled(tree, True)
  parts = [pickled(value, True)[0] for value in head]
  parts += [pickled({"little_endian": little}, True)[0], body, pickled(keys or sorted(storages), True)[0]]
  for key in sorted(storages):
    parts += [struct.pack("<q", storages[key].size), storages[key].tobytes()]
  whole = b"".join(parts)
  path.write_bytes(whole[: len(whole) - cut])


def write_zip(path, tree, *, compression=zipfile.ZIP_STORED, byteorder="little", without=(), cut=0):
  body, storages = pickled(tree, False)
  with zipfile.ZipFile(path, "w", compression) as archive:
    archive.writestr("net/data.pkl", body)
    archive.writestr("net/byteorder", byteorder)
    for key, data in storages.items():
      if key not in without:
        archive.writestr(f"net/data/{key}", data.tobytes()[: data.nbytes - cut])
    archive.writestr("net/version", "3\n")


WRITERS = {"legacy": write_legacy, "zip": write_zip}


@pytest.fixture(params=WRITERS)
def write(request, tmp_path):
  def run(tree, **options):
    WRITERS[request.param](tmp_path / "net.pt", tree, **options)
    return tmp_path / "net.pt"

  return run


def test_torch_file_stored_comes_back(write):
  """What was stored comes back."""
  numbers = np.arange(24, dtype=np.float32)
  tree = {
    "genA2B": collections.OrderedDict(
      [
        ("whole", tensor(numbers.reshape(2, 3, 4), key="a")),
        ("turned", tensor(numbers, (4, 3), (1, 4), 12, key="a")),  # the transpose of the second half
        ("scalar", tensor(np.array(7), key="b")),
        ("empty", tensor(numbers[:0], (0, 3), (3, 1), key="c")),
        ("double", tensor(np.array([1e300]), key="d")),
        ("half", tensor(np.array([0.5, -2], np.float16), key="e")),
        ("flags", tensor(np.array([True, False]), key="f")),
        ("parameter", Call(Global("torch._utils", "_rebuild_parameter"), (tensor(numbers[:2], key="g"), True, {}))),
        ("bfloat16", tensor(np.array([0x3F80, 0xC020], np.uint16).view(np.int16), key="h", kind="BFloat16Storage")),
      ]
    ),
    "step": 100_000,
    "rate": 1e-4,
    "nested": [{"betas": (0.5, 0.999), 0: None}, "text"],
  }
  found = torch_file.load(write(tree))
  net = found.pop("genA2B")
  assert found == {"step": 100_000, "rate": 1e-4, "nested": [{"betas": (0.5, 0.999), 0: None}, "text"]}
  assert type(net) is dict and list(net)[:2] == ["whole", "turned"]
  np.testing.assert_array_equal(net["whole"], numbers.reshape(2, 3, 4), strict=True)
  np.testing.assert_array_equal(net["turned"], numbers[12:].reshape(3, 4).T, strict=True)
  np.testing.assert_array_equal(net["scalar"], np.array(7), strict=True)
  assert net["empty"].shape == (0, 3) and net["double"] == 1e300 and net["flags"].tolist() == [True, False]
  np.testing.assert_array_equal(net["half"], np.array([0.5, -2], np.float16), strict=True)
  np.testing.assert_array_equal(net["parameter"], numbers[:2], strict=True)
  np.testing.assert_array_equal(net["bfloat16"], np.array([1, -2.5], np.float32), strict=True)
  assert not net["whole"].flags.writeable  # it lies in the file's bytes: files are large


def test_torch_file_reads_only_the_key_that_is_asked_for(write, tmp_path):
  """Of two networks one is given, and the other's bytes are not read: they may be damaged."""
  ones, twos = np.ones(3, np.float32), np.full(4, 2, np.float32)
  tree = {"genA2B": {"weight": tensor(ones, key="a")}, "genB2A": {"weight": tensor(twos, key="b")}, "step": 7}
  path = write(tree)
  assert sorted(torch_file.load(path, "other")) == ["genA2B", "genB2A", "step"]
  found = torch_file.load(path, "genA2B")
  assert list(found) == ["genA2B"]
  np.testing.assert_array_equal(found["genA2B"]["weight"], ones)
  write_zip(tmp_path / "net.pt", tree, without=("b",))
  assert torch_file.load(tmp_path / "net.pt", "genA2B")["genA2B"]["weight"].sum() == 3
  with pytest.raises(ValueError, match="'net/data/b' is missing"):
    torch_file.load(tmp_path / "net.pt")


class Shell:
  """Pickles as a call of os.system."""

  def __init__(self, command):
    self.command = command

  def __reduce__(self):
    return os.system, (self.command,)


@pytest.mark.parametrize("place", ["root", "nested", "argument"])
@pytest.mark.parametrize(
  "attack, asks",
  [
    (lambda marker: Shell(f"touch {marker}"), f"{os.system.__module__}.system"),
    (lambda marker: Call(Global("builtins", "eval"), (f"open({str(marker)!r}, 'w')",)), "builtins.eval"),
    (lambda marker: Call(Global("pathlib", "Path.touch"), (str(marker),)), "pathlib.Path.touch"),
    (lambda marker: Call(Global("torch._utils", "_rebuild_qtensor"), (str(marker),)), "torch._utils._rebuild_qtensor"),
    (lambda marker: Call(Global("torch", "load"), (str(marker),)), "torch.load"),
    (lambda marker: Call(Global("builtins", "getattr"), ("", "join")), "builtins.getattr"),
  ],
)
def test_torch_file_code_refused_not_run(write, tmp_path, attack, asks, place):
  """Code is refused and not run."""
  call = attack(tmp_path / "marker")
  tree = {
    "root": call,
    "nested": {"net": collections.OrderedDict(weight=[tensor(np.zeros(2)), call])},
    "argument": {"net": Call(Global("collections", "OrderedDict"), ([("weight", call)],))},
  }[place]
  path = write(tree)
  with pytest.raises(ValueError, match=rf"net\.pt cannot be read .*asks for {asks}, .*not imported.*torch\.save"):
    torch_file.load(path)
  assert not (tmp_path / "marker").exists()


def test_torch_file_code_outside_main_pickle_refused(tmp_path):
  """Code outside the main pickle is refused too."""
  call = Shell(f"touch {tmp_path / 'marker'}")
  tree = {"weight": tensor(np.zeros(2))}
  for number, options in enumerate(({"head": (call,)}, {"head": (MAGIC, call)}, {"little": call}, {"keys": [call]})):
    write_legacy(tmp_path / f"{number}.pt", tree, **options)
  (tmp_path / "plain.pt").write_bytes(pickle.dumps({"weight": call}, 4))
  for path in tmp_path.glob("*.pt"):
    with pytest.raises(ValueError, match=r"asks for .*system"):
      torch_file.load(path)
  assert not (tmp_path / "marker").exists()


def test_torch_file_pickle_cannot_replace_reads(tmp_path):
  """A pickle cannot replace what reads it."""

  def build(target, state):
    stream = pickled(target, False)[0][:-1] + pickled(state, False)[0][2:-1] + pickle.BUILD
    (tmp_path / "net.pt").unlink(missing_ok=True)
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
      archive.writestr("net/data.pkl", stream + pickle.STOP)
    return torch_file.load(tmp_path / "net.pt")

  ordered = Call(Global("collections", "OrderedDict"), ([("a", 1)],))
  assert build(ordered, {"items": "gone", "_metadata": {}}) == {"a": 1}
  for name in ("_rebuild_tensor_v2", "_rebuild_parameter"):
    with pytest.raises(ValueError, match=r"AttributeError|TypeError"):
      build(Global("torch._utils", name), (None, {"__call__": Global("torch", "FloatStorage")}))
  with pytest.raises(ValueError, match="TypeError"):
    build(Global("collections", "OrderedDict"), (None, {"update": 1}))


EIGHT = np.zeros(8, np.float32)


@pytest.mark.parametrize(
  "hostile, message",
  [
    (tensor(EIGHT, (8,), (1,), 1), "reaches outside storage '0', which holds 8 elements"),
    (tensor(EIGHT, (2, 2), (7, 1)), "reaches outside"),
    (tensor(EIGHT, (1,), (1,), 10**30), "reaches outside"),
    (tensor(EIGHT, (10**9, 10**9), (0, 0)), "reaches outside"),  # no byte too far, but an exabyte to copy
    (tensor(EIGHT, (2,), (-1,), 4), "strides \\(-1,\\)"),
    (tensor(EIGHT, (2,), (1,), -1), "offset -1"),
    (tensor(EIGHT, (2.0,), (1,)), "shape \\(2.0,\\)"),
    (tensor(EIGHT, (2,), ()), "1 dimensions and 0 strides"),
    (tensor(EIGHT, claimed=9), "storage"),
    (tensor(EIGHT, claimed=-1), "with -1 elements"),
    (tensor(EIGHT, key=5), "storage 5 of type"),
    (tensor(EIGHT)[1][0], "storage '0' stands outside a tensor"),
    (Call(Global("torch._utils", "_rebuild_tensor_v2"), (EIGHT.tolist(), 0, (8,), (1,))), "a tensor of shape"),
    (Global("torch._utils", "_rebuild_parameter"), "_RebuildParameter stands where a tensor"),
    (Call(Global("torch", "FloatStorage"), ()), "not callable"),
    ([tensor(EIGHT), tensor(EIGHT, kind="IntStorage")], "storage '0' is described in two ways"),
    ({(1, 2): 3}, "a tuple stands where a name should"),
  ],
)
def test_torch_file_impossible_tensors_refused(write, hostile, message):
  """Impossible tensors are refused."""
  with pytest.raises(ValueError, match=message):
    torch_file.load(write({"net": hostile}))


@pytest.mark.parametrize("levels, allowed", [(50, True), (150, False)])
def test_torch_file_containers_nest_repeat(write, levels, allowed):
  """Containers that nest or repeat."""
  tree = [0]
  for _ in range(levels):
    tree = [tree, tree]  # 2 ** levels paths to one list
  path = write({"net": tree})
  if allowed:
    assert len(torch_file.load(path)["net"]) == 2
  else:
    with pytest.raises(ValueError, match="nest deeper"):
      torch_file.load(path)


def test_torch_file_damaged_files_refused(tmp_path):
  """Damaged files are refused."""
  path, tree = tmp_path / "net.pt", {"net": tensor(EIGHT)}
  cases = [
    (write_legacy, {"cut": 1}, "should take 32 bytes, 31 are left: truncated"),
    (write_zip, {"cut": 1}, "should take 32 bytes, 31 are left: truncated"),
    (write_legacy, {"cut": 60}, "."),
    (write_legacy, {"little": False}, "big-endian"),
    (write_zip, {"byteorder": "big"}, "big-endian"),
    (write_legacy, {"head": (MAGIC + 1, VERSION)}, "does not begin as"),
    (write_legacy, {"keys": ["0", "1"]}, "not those that its tensors use"),
    (write_zip, {"without": ("0",)}, "'net/data/0' is missing"),
    (write_zip, {"compression": zipfile.ZIP_DEFLATED}, "is compressed"),
  ]
  for writer, options, message in cases:
    writer(path, tree, **options)
    with pytest.raises(ValueError, match=rf"net\.pt cannot be read .*{message}"):
      torch_file.load(path)
  whole = path.read_bytes()
  for content in (b"", b"no such format", whole[: len(whole) // 2], b"PK\x03\x04"):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"net\.pt cannot be read"):
      torch_file.load(path)
  write_zip(path, [1])
  with pytest.raises(ValueError, match="holds list, not a dict"):
    torch_file.load(path)
