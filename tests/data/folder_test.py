import os

import numpy as np
import pytest
from PIL import Image

from qm_vae import types
from qm_vae.data import folder


@pytest.fixture
def root(tmp_path):
  for i, name in enumerate(["b.jpg", "a/z.PNG", "a/y.webp", "ünï çode 写真.jpeg", "c.TIFF", "d.gif", "e.bmp"]):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    Image.new("RGB", (10 + i, 10), (30 * i, 0, 0)).save(tmp_path / name)
  (tmp_path / "notes.txt").write_text("no image")
  return tmp_path


def _csv(root, text, encoding="utf-8"):
  path = root / "labels.csv"
  path.write_text(text, encoding=encoding)
  return str(path)


def test_folder_without_csv(root):
  """Without CSV."""
  source = folder.make(root=str(root))
  assert source.names == ("a/y.webp", "a/z.PNG", "b.jpg", "c.TIFF", "d.gif", "e.bmp", "ünï çode 写真.jpeg")
  assert source.classes == () and source.identities == ()
  record = source[6]
  assert record.name == "ünï çode 写真.jpeg" and record.image.shape == (10, 13, 3)
  assert record.identity == types.UNKNOWN and record.label == types.UNKNOWN


def test_folder_csv(root):
  """With CSV."""
  # A byte order mark, as spreadsheets write it, and spaces around cells.
  path = _csv(root, "image, identity, expression\nb.jpg,10,Happiness\na/z.PNG,9,\nc.TIFF,,sad\n", "utf-8-sig")
  source = folder.make(root=str(root), csv=path)
  assert source.names == ("b.jpg", "a/z.PNG", "c.TIFF")
  assert source.identities == ("9", "10") and source.classes == types.EXPRESSIONS
  assert [source[i].identity for i in range(3)] == [1, 0, types.UNKNOWN]
  assert [source[i].label for i in range(3)] == [3, types.UNKNOWN, 4]


def test_folder_columns_name(root):
  """Columns by name."""
  path = _csv(root, "file,who,mood\nb.jpg,Ann,angry\n")
  source = folder.make(root=str(root), csv=path, image_column="file", identity_column="who", label_column="mood")
  assert source.session is None
  assert source.identities == ("Ann",) and source[0].label == 0


def test_folder_sessions_by_column(root):
  """Sessions come from a column of their own, which may have empty cells."""
  path = _csv(root, "image,identity,session\nb.jpg,1,x\na/z.PNG,1,\nc.TIFF,2,x\n")
  assert folder.make(root=str(root), csv=path).session.tolist() == [0, -1, 0]


def test_folder_default_columns_absent(root):
  """Default columns may be absent."""
  source = folder.make(root=str(root), csv=_csv(root, "image\nb.jpg\n"))
  assert source.identities == () and source.classes == () and source[0].label == types.UNKNOWN


@pytest.mark.parametrize(
  "text, options, message",
  [
    ("file\nb.jpg\n", {}, r"labels.csv has no column 'image'; its columns are file; .*image_column"),
    ("image\nb.jpg\n", {"label_column": "mood"}, r"no column 'mood'; its columns are image; .*label_column"),
    ("image\nb.jpg\n", {"identity_column": "who"}, r"no column 'who'.*identity_column"),
    ("image\nb.jpg\nx.jpg\n\ny.jpg\n", {}, r"names 2 images that are not below .*: 'x.jpg' \(line 3\), 'y.jpg'"),
    ("image,expression\nb.jpg,contempt\n", {}, r"line 2, column 'expression': .*'contempt'; allowed are angry.*empty"),
    ("image\nb.jpg\nc.TIFF\nb.jpg\n", {}, r"names 'b.jpg' twice, in lines 2 and 4"),
    ("image\n", {}, r"has no rows"),
    ("", {}, r"its columns are none"),
  ],
)
def test_folder_csv_errors(root, text, options, message):
  """Csv errors."""
  with pytest.raises(ValueError, match=message):
    folder.make(root=str(root), csv=_csv(root, text), **options)


def test_folder_other_errors(root, tmp_path):
  """Other errors."""
  with pytest.raises(ValueError, match="nowhere', which is no directory"):
    folder.make(root=str(tmp_path / "nowhere"))
  with pytest.raises(ValueError, match="no directory"):
    folder.make(root="")
  with pytest.raises(ValueError, match=r"no image below .*\.webp"):
    (tmp_path / "only").mkdir()
    folder.make(root=str(tmp_path / "only"))
  with pytest.raises(ValueError, match=r"which is no file"):
    folder.make(root=str(root), csv=str(root / "absent.csv"))
  with pytest.raises(ValueError, match=r"no UTF-8 text.*save it"):
    folder.make(root=str(root), csv=_csv(root, "image\nbäd.jpg\n", "latin-1"))


def test_folder_fingerprint_tells_two_folders_like(tmp_path):
  """Fingerprint tells two folders of like files apart."""
  for place, grey in (("dark", 0), ("bright", 255)):
    (tmp_path / place).mkdir()
    Image.new("RGB", (10, 10), (grey,) * 3).save(tmp_path / place / "a.bmp")
    os.utime(tmp_path / place / "a.bmp", (1, 1))
  dark, bright = (folder.make(root=str(tmp_path / place)) for place in ("dark", "bright"))
  assert dark.fingerprint != bright.fingerprint


def test_folder_fingerprint_follows_csv(root):
  """Fingerprint follows the CSV."""
  first = folder.make(root=str(root), csv=_csv(root, "image,identity\nb.jpg,1\nc.TIFF,2\n")).fingerprint
  assert folder.make(root=str(root), csv=_csv(root, "image,identity\nb.jpg,1\nc.TIFF,1\n")).fingerprint != first
  assert folder.make(root=str(root), csv=_csv(root, "image,identity\nc.TIFF,2\nb.jpg,1\n")).fingerprint != first


def test_folder_damaged_file_leaves_others_readable(root):
  """A damaged file leaves the others readable."""
  (root / "b.jpg").write_bytes(b"")
  source = folder.make(root=str(root))
  with pytest.raises(types.UnreadableImage) as error:
    source[2]
  assert error.value.name == "b.jpg"
  assert np.asarray(source[3].image).shape == (10, 14, 3)
