import numpy as np
import pytest
from PIL import Image

from qm_vae import types
from qm_vae.data import celeba_folder


def _images(directory, count=4):
  directory.mkdir(parents=True)
  for i in range(1, count + 1):
    Image.new("RGB", (8, 9), (i, i, i)).save(directory / f"{i:06d}.jpg")


@pytest.mark.parametrize("images", ["img_align_celeba", "img_align_celeba/img_align_celeba", "Img/img_align_celeba"])
@pytest.mark.parametrize("lists", ["", "Anno"])
def test_celeba_folder_own_layout(tmp_path, images, lists):
  """Own layout."""
  _images(tmp_path / images)
  place = tmp_path / lists
  place.mkdir(exist_ok=True)
  (place / "identity_CelebA.txt").write_text("000001.jpg 30\n000002.jpg 4\n000003.jpg 30\n")
  (place / "list_attr_celeba.txt").write_text("2\nBald Young\n000001.jpg -1  1\n000003.jpg  1 -1\n")
  source = celeba_folder.make(root=str(tmp_path))
  assert source.names == tuple(f"{i:06d}.jpg" for i in range(1, 5))
  assert source.identities == ("4", "30") and source.classes == ()
  assert [source[i].identity for i in range(4)] == [1, 0, 1, types.UNKNOWN]
  assert source.attributes == ("Bald", "Young") and source.attribute_values.dtype == np.int8
  np.testing.assert_array_equal(source.attribute_values, [[-1, 1], [0, 0], [1, -1], [0, 0]])


def test_celeba_folder_csv_layout(tmp_path):
  """Csv layout."""
  _images(tmp_path / "img")
  (tmp_path / "labels.csv").write_text("image,identity\n000001.jpg,2880\n000004.jpg,17\n")
  (tmp_path / "attributes.csv").write_text("image,Bald\n000004.jpg,1\n")
  source = celeba_folder.make(root=str(tmp_path))
  assert source.identities == ("17", "2880") and source[0].identity == 1
  np.testing.assert_array_equal(source.attribute_values, [[0], [0], [0], [1]])


def test_celeba_folder_sessions(tmp_path):
  """A column `session` of labels.csv says which pictures were taken together; without it none is known."""
  _images(tmp_path / "img")
  (tmp_path / "labels.csv").write_text("image,identity,session\n000001.jpg,7,a\n000002.jpg,7,b\n000003.jpg,7,a\n")
  source = celeba_folder.make(root=str(tmp_path))
  assert source.session[0] == source.session[2] != source.session[1] and source.session[3] == types.UNKNOWN
  (tmp_path / "labels.csv").write_text("image,identity\n000001.jpg,7\n")
  assert celeba_folder.make(root=str(tmp_path)).session is None


def test_celeba_folder_short_row_refused_file(tmp_path):
  """A short row is refused by file."""
  _images(tmp_path / "img")
  (tmp_path / "labels.csv").write_text("image,identity\n000001.jpg\n")
  with pytest.raises(ValueError, match=r"labels\.csv has a row of another length than its header's 2 columns"):
    celeba_folder.make(root=str(tmp_path))


def test_celeba_folder_images_alone(tmp_path):
  """Images alone."""
  _images(tmp_path / "img")
  source = celeba_folder.make(root=str(tmp_path))
  assert len(source) == 4 and source[0].identity == types.UNKNOWN
  assert source.attributes == () and source.attribute_values is None


def test_celeba_folder_partitions(tmp_path):
  """Partitions."""
  _images(tmp_path / "img_align_celeba")
  (tmp_path / "Eval").mkdir()
  lines = "000001.jpg 0\n000002.jpg 2\n000003.jpg 0\n000004.jpg 1\n"
  (tmp_path / "Eval" / "list_eval_partition.txt").write_text(lines)
  names = {part: celeba_folder.make(root=str(tmp_path), partition=part).names for part in celeba_folder.PARTITIONS}
  assert names == {
    "train": ("000001.jpg", "000003.jpg"),
    "valid": ("000004.jpg",),
    "test": ("000002.jpg",),
  }


def test_celeba_folder_attribute_divides_images(tmp_path):
  """An attribute divides the images."""
  _images(tmp_path / "img")
  (tmp_path / "attributes.csv").write_text("image,Bald,Young\n000001.jpg,1,-1\n000002.jpg,-1,1\n000004.jpg,-1,-1\n")
  names = {having: celeba_folder.make(root=str(tmp_path), having=having).names for having in ("Bald", "-Bald", "Young")}
  assert names == {"Bald": ("000001.jpg",), "-Bald": ("000002.jpg", "000004.jpg"), "Young": ("000002.jpg",)}
  with pytest.raises(ValueError, match=r"having is '-Old'.*Bald, Young"):
    celeba_folder.make(root=str(tmp_path), having="-Old")


def test_celeba_folder_errors(tmp_path):
  """Errors."""
  with pytest.raises(ValueError, match="has no images in any of img_align_celeba"):
    celeba_folder.make(root=str(tmp_path))
  (tmp_path / "img_align_celeba.zip").touch()
  with pytest.raises(ValueError, match="still packed; unzip"):
    celeba_folder.make(root=str(tmp_path))
  _images(tmp_path / "img_align_celeba")
  with pytest.raises(ValueError, match="partition 'dev' must be one of all, train, valid, test"):
    celeba_folder.make(root=str(tmp_path), partition="dev")
  with pytest.raises(ValueError, match=r"no list_eval_partition.txt.*use partition 'all'"):
    celeba_folder.make(root=str(tmp_path), partition="test")
  (tmp_path / "list_attr_celeba.txt").write_text("1\nBald Young\n000001.jpg 1\n")
  with pytest.raises(ValueError, match=r"list_attr_celeba.txt has a line without exactly 2 values"):
    celeba_folder.make(root=str(tmp_path))
  (tmp_path / "identity_CelebA.txt").write_text("000001.jpg\n")
  with pytest.raises(ValueError, match=r"identity_CelebA.txt has a line that is not an image and a number"):
    celeba_folder.make(root=str(tmp_path))


def _landmark_list(directory, *rows):
  header = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"
  (directory / "list_landmarks_align_celeba.txt").write_text("\n".join([str(len(rows)), header, *rows, ""]))


def test_celeba_folder_landmarks_scaled_to_stored_size(tmp_path):
  """Landmarks of images at half size are halved; images that the list lacks have none."""
  directory = tmp_path / "img"
  directory.mkdir()
  for name, size in (("000001.jpg", (178, 218)), ("000002.jpg", (89, 109)), ("000003.jpg", (89, 109))):
    Image.new("RGB", size).save(directory / name)
  points = "69 109 106 113 77 142 73 152 108 154"
  _landmark_list(tmp_path, f"000001.jpg {points}", f"000002.jpg {points}")
  found = celeba_folder.make(root=str(tmp_path), landmarks=True).landmark_values
  expected = np.reshape([float(value) + 0.5 for value in points.split()], (5, 2))
  np.testing.assert_allclose(found[0], expected)
  np.testing.assert_allclose(found[1], expected / 2)
  assert np.isnan(found[2]).all()
  assert celeba_folder.make(root=str(tmp_path)).landmark_values is None


@pytest.mark.parametrize(
  "row", ["000001.jpg 1 2 3", "000001.jpg 1 2 3 4 5 6 7 8 9 x", "000001.jpg 1 2 3 4 5 6 7 8 9 nan"]
)
def test_celeba_folder_damaged_landmarks_refused(tmp_path, row):
  """A damaged list of landmarks is refused, and so is a missing one."""
  _images(tmp_path / "img")
  with pytest.raises(ValueError, match=r"has no list_landmarks_align_celeba\.txt"):
    celeba_folder.make(root=str(tmp_path), landmarks=True)
  _landmark_list(tmp_path, row)
  with pytest.raises(ValueError, match="not an image and ten whole numbers"):
    celeba_folder.make(root=str(tmp_path), landmarks=True)
