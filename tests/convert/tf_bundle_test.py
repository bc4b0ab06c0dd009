"""TensorFlow's checkpoint format, written here by hand, and what a damaged or hostile file may try."""

import numpy as np
import pytest

from qm_vae.convert import crc32c, tf_bundle
from tests.support import tf_checkpoint as form

RANDOM = np.random.default_rng(0)
TENSORS = {f"scope/layer_{i}/kernel": RANDOM.standard_normal((3, i + 1)).astype(np.float32) for i in range(45)}
TENSORS |= {"scope/scalar": np.float32(2.5).reshape(()), "scope/empty": np.zeros((0, 4), np.float32)}
TENSORS |= {"step": np.array(7, np.int64)}


@pytest.fixture
def prefix(tmp_path):
  return tmp_path / "net.model-100"


def test_crc32c_published_values():
  """The check values of RFC 3720, Appendix B.4, and of the CRC catalogue."""
  assert crc32c.crc32c(b"123456789") == 0xE3069283
  assert crc32c.crc32c(bytes(32)) == 0x8A9136AA
  assert crc32c.crc32c(b"\xff" * 32) == 0x62A8AB43
  assert crc32c.crc32c(bytes(range(32))) == 0x46DD794E
  assert crc32c.crc32c(b"") == 0


def test_crc32c_lanes_and_pieces_equal_byte_by_byte(monkeypatch):
  """Side by side and piece by piece gives what one byte after the other gives."""
  data = RANDOM.integers(0, 256, 70_001).astype(np.uint8)
  expected = form.slow_crc32c(data)
  assert crc32c.crc32c(data) == expected  # more than one byte for every lane
  monkeypatch.setattr(crc32c, "_PIECE", 30_000)
  assert crc32c.crc32c(data) == expected


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("given", ["net.model-100", "net.model-100.index", ""])
def test_bundle_every_tensor_as_written(prefix, shards, given):
  """Every tensor comes back bit for bit, over one shard or more, by prefix, index or folder."""
  form.write(prefix, TENSORS, shards=shards)
  bundle = tf_bundle.open_bundle(prefix.parent / given)
  assert set(bundle.entries) == set(TENSORS) and bundle.shards == shards
  for name, array in TENSORS.items():
    if array.dtype == np.float32:
      np.testing.assert_array_equal(bundle.read(name), array)
  with pytest.raises(ValueError, match=r"step has type 9.*expected float32"):
    bundle.read("step")
  with pytest.raises(ValueError, match="holds no tensor called other; it holds scope/empty"):
    bundle.read("other")


def test_bundle_reads_only_the_bytes_of_its_tensor(prefix):
  """Another tensor may be damaged: it is not looked at."""
  form.write(prefix, TENSORS)
  data = prefix.with_name(f"{prefix.name}.data-00000-of-00001")
  raw = bytearray(data.read_bytes())
  entry = tf_bundle.open_bundle(prefix).entries["scope/layer_3/kernel"]
  raw[entry.offset] ^= 1
  data.write_bytes(raw)
  bundle = tf_bundle.open_bundle(prefix)
  np.testing.assert_array_equal(bundle.read("scope/layer_4/kernel"), TENSORS["scope/layer_4/kernel"])
  with pytest.raises(ValueError, match=r"data-00000-of-00001: the checksum of scope/layer_3/kernel does not fit"):
    bundle.read("scope/layer_3/kernel")


def test_bundle_damaged_index(prefix):
  """One flipped bit anywhere in the index is noticed when it is opened, or what it says stays the same."""
  form.write(prefix, TENSORS)
  index = prefix.with_name(f"{prefix.name}.index")
  good = index.read_bytes()
  entries = tf_bundle.open_bundle(prefix).entries
  refused = 0
  for at in range(0, len(good), 7):
    index.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
    try:
      assert tf_bundle.open_bundle(prefix).entries == entries
    except ValueError as error:
      assert str(index) in str(error)
      refused += 1
  # All but the block of other metadata, which is not read, and the padding of the footer.
  assert refused > 0.95 * len(range(0, len(good), 7))


NAME = "scope/layer_3/kernel"


def _raw(value):
  """A change of the index: the entry of NAME is `value`, with checksums that fit."""
  return lambda pairs: [(key, value if key.decode() == NAME else old) for key, old in pairs]


def _with(**fields):
  return _raw(form.entry(**{"shape": (3, 4), "shard": 0, "offset": 0, "size": 48, "crc": 0} | fields))


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (_with(offset=2**40), "should end at byte 1099511627824"),
    (_with(shape=(10**6, 10**6)), "1000000.* and 48 bytes; expected float32"),
    (_with(shape=(2**62, 4), size=2**63), "is said to be at"),
    (_with(shard=4), "of shard 4"),
    (_raw(b"\x0a\xff\x01"), "reaches outside"),
    (_raw(b"\xff" * 12), "longer than ten bytes"),
    (_raw(form.field(7, b"")), "stored in slices"),
    (lambda pairs: [(b"", form.field(1, 1) + form.field(2, 1)), *pairs[1:]], "byte order 1"),
    (lambda pairs: [(b"", form.field(1, 0)), *pairs[1:]], "speaks of 0 shards"),
    (lambda pairs: [*pairs, pairs[-1]], "twice"),
  ],
)
def test_bundle_hostile_entries_refused(prefix, change, message):
  """An entry that reaches outside its file, or claims more than its bytes, is refused before an array is made."""
  form.write(prefix, TENSORS, change=change)
  with pytest.raises(ValueError, match=message) as error:
    tf_bundle.open_bundle(prefix).read(NAME)
  assert "net.model-100" in str(error.value)


def test_bundle_other_files_refused(prefix, tmp_path):
  """No file, no table, a missing or short shard, and a folder with two checkpoints are named."""
  with pytest.raises(ValueError, match=r"net\.model-100\.index is no file; expected NAME\.index"):
    tf_bundle.open_bundle(prefix)
  prefix.with_name(f"{prefix.name}.index").write_bytes(b"no table" * 20)
  with pytest.raises(ValueError, match="does not end as a table does"):
    tf_bundle.open_bundle(prefix)
  prefix.with_name(f"{prefix.name}.index").write_bytes(b"short")
  with pytest.raises(ValueError, match="has 5 bytes"):
    tf_bundle.open_bundle(prefix)
  form.write(prefix, TENSORS)
  data = prefix.with_name(f"{prefix.name}.data-00000-of-00001")
  data.write_bytes(data.read_bytes()[:100])
  with pytest.raises(ValueError, match="the file has 100: truncated"):
    tf_bundle.open_bundle(prefix).read("scope/scalar")
  data.unlink()
  with pytest.raises(ValueError, match="00000-of-00001 is no file; bring it beside the index"):
    tf_bundle.open_bundle(prefix).read("scope/scalar")
  form.write(tmp_path / "second", TENSORS)
  with pytest.raises(ValueError, match=r"holds 2 files NAME\.index"):
    tf_bundle.open_bundle(tmp_path)
