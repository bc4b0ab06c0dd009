import numpy as np
import pytest
from PIL import Image

from qm_vae import types
from qm_vae.data import fer2013

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 48, 48), np.uint8)
LABELS = (3, 0, 6, 1, 5)
USAGE = ("Training", "PublicTest", "Training", "PrivateTest", "Training")


def _csv(path, header="emotion,pixels,Usage", order=(0, 1, 2)):
  rows = []
  for image, label, usage in zip(IMAGES, LABELS, USAGE, strict=True):
    cells = [str(label), " ".join(map(str, image.ravel())), usage]
    rows.append(",".join(cells[i] for i in order))
  path.write_text("\n".join([header, *rows]) + "\n")
  return str(path)


@pytest.mark.parametrize("header, order", [("emotion,pixels,Usage", (0, 1, 2)), ("emotion, Usage, pixels", (0, 2, 1))])
def test_fer2013_csv(tmp_path, header, order):
  """Csv."""
  path = _csv(tmp_path / "fer.csv", header, order)
  source = fer2013.make(path=path, usage="all")
  assert source.classes == types.EXPRESSIONS and len(source) == 5
  for i in range(5):
    record = source[i]
    np.testing.assert_array_equal(record.image, np.repeat(IMAGES[i][..., None], 3, axis=2))
    assert (record.label, record.identity, record.name) == (LABELS[i], types.UNKNOWN, f"{USAGE[i]}/{i}")
  assert fer2013.make(path=path, usage="Training").names == ("Training/0", "Training/2", "Training/4")
  assert fer2013.make(path=path, usage="PrivateTest")[0].label == 1


def test_fer2013_npz_another_order_classes(tmp_path):
  """Npz with another order of classes."""
  classes = np.array(["Neutral", "happiness", "sad", "fear", "angry", "surprise", "disgust"])
  arrays = {"Training_x": IMAGES, "Training_y": np.array([0, 1, 4, 6, 2], np.uint8), "classes": classes}
  np.savez(tmp_path / "fer.npz", **arrays)
  source = fer2013.make(path=str(tmp_path / "fer.npz"), usage="Training")
  assert [types.EXPRESSIONS[source[i].label] for i in range(5)] == ["neutral", "happy", "angry", "disgust", "sad"]
  with pytest.raises(ValueError, match="no images of usage 'PublicTest'"):
    fer2013.make(path=str(tmp_path / "fer.npz"), usage="PublicTest")


def test_fer2013_tree(tmp_path):
  """Tree."""
  for name in ("train/angry/b.png", "train/Happiness/a.png", "validation/sad/c.jpg", "test/fear/d.png"):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(IMAGES[0]).save(tmp_path / name)
  source = fer2013.make(path=str(tmp_path), usage="Training")
  assert source.names == ("train/Happiness/a.png", "train/angry/b.png")
  assert [source[i].label for i in range(2)] == [3, 0] and source[0].image.shape == (48, 48, 3)
  assert fer2013.make(path=str(tmp_path), usage="PublicTest").names == ("validation/sad/c.jpg",)
  assert fer2013.make(path=str(tmp_path), usage="PrivateTest").names == ("test/fear/d.png",)
  assert len(fer2013.make(path=str(tmp_path), usage="all")) == 4
  assert fer2013.make(path=str(tmp_path / "train"), usage="all").names == ("Happiness/a.png", "angry/b.png")
  with pytest.raises(ValueError, match=r"no directory train or training .*Happiness, angry.*usage 'all'"):
    fer2013.make(path=str(tmp_path / "train"), usage="Training")
  (tmp_path / "train" / "contempt").mkdir()
  with pytest.raises(ValueError, match=r"train: no expression is called 'contempt'.*rename or remove"):
    fer2013.make(path=str(tmp_path), usage="Training")


@pytest.mark.parametrize(
  "row, message",
  [
    ("7," + "0 " * 2304 + ",Training", "has emotion '7' in row 0; expected 0 to 6"),
    ("1," + "0 " * 2303 + ",Training", "has 2303 pixels in row 0"),
    ("1," + "256 " + "0 " * 2303 + ",Training", "of 0 to 255"),
    ("1,x" + " 0" * 2303 + ",Training", "has pixels in row 0 that are no numbers"),
    ("1,0,Testing", "has Usage 'Testing' in row 0; expected one of Training"),
    ("1", "has Usage '' in row 0"),
  ],
)
@pytest.mark.filterwarnings("ignore:string or file could not be read")
def test_fer2013_damaged_rows(tmp_path, row, message):
  """Damaged rows."""
  (tmp_path / "fer.csv").write_text(f"emotion,pixels,Usage\n{row}\n")
  with pytest.raises(ValueError, match=message):
    fer2013.make(path=str(tmp_path / "fer.csv"), usage="Training")


def test_fer2013_other_errors(tmp_path):
  """Other errors."""
  with pytest.raises(ValueError, match="usage 'Test' must be one of all, Training"):
    fer2013.make(path=str(tmp_path), usage="Test")
  with pytest.raises(ValueError, match=r"must be an existing .csv or .npz"):
    fer2013.make(path=str(tmp_path / "absent.csv"), usage="Training")
  with pytest.raises(ValueError, match=r"must be an existing .csv or .npz"):
    fer2013.make(path="", usage="Training")
  (tmp_path / "fer.csv").write_text("a,b\n")
  with pytest.raises(ValueError, match="columns a, b; expected emotion, pixels and Usage"):
    fer2013.make(path=str(tmp_path / "fer.csv"), usage="Training")
  np.savez(tmp_path / "fer.npz", Training_x=IMAGES, Training_y=np.array([0, 1, 2, 3, 7]), classes=types.EXPRESSIONS)
  with pytest.raises(ValueError, match=r"Training_y .*indices into classes"):
    fer2013.make(path=str(tmp_path / "fer.npz"), usage="Training")
  (tmp_path / "damaged.npz").write_bytes(b"PK no archive")
  with pytest.raises(ValueError, match=r"damaged.npz"):
    fer2013.make(path=str(tmp_path / "damaged.npz"), usage="Training")
