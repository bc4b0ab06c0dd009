"""Ways to damage files: their bytes, JSON's values, the arrays of an archive."""

import io
import json
import pathlib
import random
import shutil
import tempfile
import zipfile
from typing import Any

import numpy as np

_STRANGE = (
  None, True, [], {}, "", "x", -1, 0, 1e308, float("nan"), float("inf"), 10**400, 2**63, [[]], ["a", 1], {"a": {}},
  "\ud800", "../../x", "/etc/passwd", "x" * 5000, [0] * 300, -0.5, 48, "fsq", {"sha256": 3},
)  # fmt: skip
_TOKENS = (
  b"\xff\xfe", b"\x00", b"null", b"[]", b"{}", b"NaN", b"1e999", b"9" * 5000, b"[" * 100_000, b'{"a":' * 50_000,
  b"-1", b",", b'"', b"\n", b"\xef\xbb\xbf", b"../../etc/passwd", b"x" * 200_000, b"\r\n\r\n", b"'", b"True",
)  # fmt: skip


def spoil_bytes(rng: random.Random, content: bytes) -> bytes:
  """The bytes cut, flipped, doubled, or with something strange between."""
  how = rng.randrange(6)
  at = rng.randrange(len(content) + 1)
  if how == 0:
    return content[:at]
  if how == 1:
    return content[:at] + rng.choice(_TOKENS) + content[at:]
  if how == 2:
    return content[:at] + rng.choice(_TOKENS) + content[at + rng.randrange(1, 9) :]
  if how == 3:
    return content[:at] + content[at + rng.randrange(1, 1 + len(content) // 2) :]
  if how == 4:
    return rng.choice(_TOKENS)
  spoilt = bytearray(content)
  for _ in range(rng.choice((1, 1, 3, 30))):
    if spoilt:
      spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
  return bytes(spoilt)


def any_file(*names):
  def damage(rng, folder):
    name = rng.choice(names)
    path = folder / name
    path.write_bytes(spoil_bytes(rng, path.read_bytes()))
    return name

  return damage


def spoil_tree(rng: random.Random, tree: Any) -> Any:
  """JSON's values with one dropped, or replaced by something strange."""
  places = []

  def walk(node):
    if isinstance(node, dict | list):
      keys = list(node) if isinstance(node, dict) else range(len(node))
      for key in keys:
        places.append((node, key))
        walk(node[key])

  walk(tree)
  if not places or rng.random() < 0.05:
    return rng.choice(_STRANGE)
  node, key = rng.choice(places)
  if rng.random() < 0.3:
    del node[key]
  elif isinstance(node, dict) and rng.random() < 0.15:
    node[rng.choice(("x", "__class__", "kind"))] = node[key]
  else:
    node[key] = rng.choice(_STRANGE)
  return tree


def json_file(name, also_bytes=0.3):
  def damage(rng, folder):
    path = folder / name
    if rng.random() < also_bytes:
      path.write_bytes(spoil_bytes(rng, path.read_bytes()))
    else:
      path.write_text(json.dumps(spoil_tree(rng, json.loads(path.read_text())), ensure_ascii=True))
    return name

  return damage


def npz_file(name):
  """Spoils the arrays of an archive, or its bytes."""

  def damage(rng, folder):
    path = folder / name
    if rng.random() < 0.3:
      path.write_bytes(spoil_bytes(rng, path.read_bytes()))
      return name
    with np.load(path) as file:
      arrays = {key: file[key] for key in file.files}
    key = rng.choice(list(arrays))
    how = rng.randrange(8)
    raw = {}
    if how == 0:
      del arrays[key]
    elif how == 1:
      other = rng.choice((np.complex64, np.float64, np.int64, "S3", "U2", bool))
      is_text = arrays[key].dtype.kind in "US"  # which is no number of every kind
      arrays[key] = np.zeros(arrays[key].shape, other) if is_text else arrays[key].astype(other)
    elif how == 2:
      arrays[key] = arrays[key].ravel()[: rng.randrange(1 + arrays[key].size)]
    elif how == 3:
      arrays[key] = np.array([{}, "x"], object)
    elif how == 4:
      arrays[key] = arrays[key][..., None]
    elif how == 5:
      arrays[key] = np.full(arrays[key].shape, np.nan)
    elif how == 6:
      arrays[key] = np.float32(3)
    else:  # a header that claims far more than there is, or unfolds to it
      header = io.BytesIO()
      shape = rng.choice(((2**40,), (2**31, 48, 48), (-1, 5), (10**9,)))
      np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
      raw = {key: header.getvalue() + (bytes(2**27) if rng.random() < 0.1 else b"abc")}
      del arrays[key]
    np.savez(path, **arrays)
    for name_of, content in raw.items():
      with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name_of}.npy", content)
    return name

  return damage


def cached(write):
  """`write`, which makes the files once and copies them from then on."""
  kept = []

  def copied(folder):
    if not kept:
      kept.append(tempfile.TemporaryDirectory(prefix="whole"))
      write(pathlib.Path(kept[0].name))
    shutil.copytree(kept[0].name, folder, dirs_exist_ok=True)

  return copied


def any_below(rng, folder):
  """Spoils, empties, removes or replaces by a folder any one file; returns its path below `folder`."""
  path = rng.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
  how = rng.random()
  if how < 0.7:
    path.write_bytes(spoil_bytes(rng, path.read_bytes()))
  else:
    path.unlink()
    if how < 0.8:
      path.mkdir()
    elif how < 0.9:
      path.touch()
  return str(path.relative_to(folder))
