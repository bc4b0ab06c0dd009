"""Pictures: hidden faces, soft edges outside of what is covered, what is kept of a file, folders that go on."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from qm_vae import deidentify, types
from qm_vae.data import synthetic
from qm_vae.deidentify import __main__ as program
from qm_vae.deidentify import hiding, methods, options, pictures, selection
from qm_vae.deidentify import protector as protect
from qm_vae.deidentify.contact_sheet import ContactSheet
from qm_vae.faces import SHAPES, cropping, detectors
from qm_vae.io import images


@pytest.fixture(scope="module")
def drawn():
  """A drawn face that the cascade finds, uint8 [96, 96, 3]."""
  source = synthetic.make(num_people=4, images_per_person=1, frame_size=96, seed=0)
  return next(source[i].image for i in range(4) if len(cropping.detect(source[i].image, cropping.Settings())))


def test_pictures_library_call_hides_face_nothing(drawn):
  """The library call hides the face and nothing else."""
  frame = np.full((160, 200, 3), 200, np.uint8)
  frame[40:136, 60:156] = drawn
  before = frame.copy()
  made = deidentify.images(frame)
  np.testing.assert_array_equal(frame, before)
  (face,) = [f for f in made.faces[0] if f["score"] >= 0.5]
  x, y, width, height = (int(v) for v in face["box"])
  assert not made.images[y : y + height, x : x + width].any()  # solid is black, to the last pixel
  assert (made.images == frame).all(-1).mean() > 0.3 and (made.images[:20] == frame[:20]).all()
  with pytest.raises(ValueError, match="uint8"):
    deidentify.images(frame / 255)


@pytest.mark.parametrize("shape", SHAPES)
def test_pictures_soft_edge_lies_outside_covered(shape):
  """The soft edge lies outside of what is covered."""
  random = np.random.default_rng(0)
  frame = random.integers(1, 256, (120, 150, 3)).astype(np.uint8)
  hider = hiding.Hider(methods.open_method("solid"), margin=0.25, feather=0.1, shape=shape)
  for box in ([50, 40, 30, 30], [-10, -8, 40, 40], [130, 100, 40, 50]):
    (made,) = hider([frame], [[np.float32(box)]], [[1]])
    rows, columns = np.mgrid[:120, :150] + 0.5
    centre = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
    reach = max(box[2:]) * 0.75  # half a side and the margin
    away = np.stack([columns - centre[0], rows - centre[1]])
    far = np.abs(away).max(0) if shape == "box" else np.hypot(*away)
    assert not made[far < reach - 1].any()  # a pixel of rounding: boxes stand on whole pixels
    outside = np.abs(away).max(0) > max(box[2:]) * 0.85 + 1.5
    np.testing.assert_array_equal(made[outside], frame[outside])
    band = (far > reach + 1) & (far < max(box[2:]) * 0.85 - 1)
    assert not band.any() or (made[band].any(-1)).mean() > 0.9


def test_pictures_batches_any_size_equal_single():
  """Batches of any size equal single faces and a track has one appearance."""
  random = np.random.default_rng(0)
  image = random.integers(0, 256, (21, 32, 32, 3)).astype(np.uint8)
  eyes = np.tile(np.float32([10, 12, 20, 12]), (21, 1))
  protector = protect.Protector(methods.open_method("laplace:scale=30,size=32"))
  made, fine = protector(image, eyes, None, np.arange(21), hiding._key(3))
  assert fine.all() and made.shape == image.shape
  one, _ = protector(image[[5, 5, 5]], eyes[:3], None, np.array([5, 5, 6]), hiding._key(3))
  np.testing.assert_array_equal(one[0], made[5])  # however it is padded
  np.testing.assert_array_equal(one[0], one[1])
  assert (one[0] != one[2]).any()
  assert protector(image[:0], eyes[:0], None, np.arange(0), hiding._key(3))[0].shape == (0, 32, 32, 3)


def test_pictures_method_fails_blanks_picture_small():
  """A method that fails blanks the picture and small faces are painted over."""
  frame = np.full((100, 100, 3), 120, np.uint8)
  box = [np.float32([30, 30, 40, 40])]
  broken = protect.Method((), lambda params, face, key: face.image * np.nan, 32, None, (), 0, {"name": "broken"})
  assert hiding.Hider(broken)([frame], [box], [[1]]) == [None]
  nothing = protect.Method((), lambda params, face, key: face.image, 32, None, (), 61, {"name": "nothing"})
  (made,) = hiding.Hider(nothing)([frame], [box], [[1]])
  assert not made[31:69, 31:69].any()


@pytest.mark.parametrize("answer", [lambda image: image + 1, lambda image: image - 2, lambda image: image * jnp.inf])
def test_pictures_method_out_of_range_blanks_the_picture(answer):
  """What leaves [0, 1] is no picture: a damaged network gives it."""
  frame = np.full((100, 100, 3), 120, np.uint8)
  broken = protect.Method((), lambda params, face, key: answer(face.image), 32, None, (), 0, {"name": "broken"})
  assert hiding.Hider(broken)([frame], [[np.float32([30, 30, 40, 40])]], [[1]]) == [None]


def test_pictures_method_of_another_shape_is_an_error():
  """A method that changes a crop's shape is an error that names it."""
  broken = protect.Method((), lambda params, face, key: face.image[:16], 32, None, (), 0, {"name": "broken"})
  with pytest.raises(ValueError, match=r"broken makes \[16, 32, 3\]"):
    hiding.Hider(broken)([np.zeros((90, 90, 3), np.uint8)], [[np.float32([30, 30, 40, 40])]], [[1]])


@pytest.mark.parametrize(
  ("points", "message"),
  [
    (np.full((1, 68, 2), np.nan), "not finite"),
    (np.full((1, 68, 2), 1e6), "far outside"),
    (np.zeros((1, 5, 2)), r"\[1, 5, 2\]"),
  ],
)
def test_pictures_damaged_landmarks_are_errors(points, message):
  """Landmarks that none can be are an error, and not a face that is bent out of sight."""
  method = protect.Method((), lambda params, face, key: face.image * 0, 32, None, ("landmarks",), 0, {"name": "m"})
  hider = hiding.Hider(method, landmarker=lambda image: points)
  with pytest.raises(ValueError, match=message):
    hider([np.zeros((90, 90, 3), np.uint8)], [[np.float32([30, 30, 40, 40])]], [[1]])


def test_pictures_overlapping_faces_smaller_lies_top():
  """Of overlapping faces the smaller lies on top whatever the order."""
  frame = np.random.default_rng(0).integers(0, 256, (120, 120, 3)).astype(np.uint8)
  tell = lambda params, face, key: jnp.full_like(face.image, jax.random.key_data(key)[0] % 200 / 255)
  hider = hiding.Hider(protect.Method((), tell, 32, None, (), 0, {"name": "tell"}), feather=0.0, seed=0)
  large, small = np.float32([10, 10, 80, 80]), np.float32([40, 40, 20, 20])
  (one,), (other,) = (hider([frame], [[large, small]], [[1, 2]]), hider([frame], [[small, large]], [[2, 1]]))
  (alone,) = hider([frame], [[small]], [[2]])
  np.testing.assert_array_equal(one, other)
  np.testing.assert_array_equal(one[40:60, 40:60], alone[40:60, 40:60])
  assert (one[12:30, 12:30] != one[50, 50]).any()


def test_pictures_no_picture_shows_noise_another():
  """No picture shows the noise of another."""
  boxes = types.Detections(np.float32([[8, 8, 48, 48]]), np.float32([1]))
  finder = types.Detector(lambda image: boxes, 0.5, 0.5, {})
  random = np.random.default_rng(0)
  hider = hiding.Hider(methods.open_method("laplace:scale=16,size=64"), margin=0.0, feather=0.0, seed=0)
  originals = [np.clip(random.normal(128, 10, (64, 64, 3)), 0, 255).astype(np.uint8) for _ in range(2)]
  shown = [pictures.protect(one, finder, hider, selection.Selection()).image for one in (*originals, originals[0])]
  one, other, again = (made[16:48, 16:48].astype(float) for made in shown)
  noise = [made - original[16:48, 16:48] for made, original in zip((one, other), originals, strict=True)]
  assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.1
  np.testing.assert_array_equal(one, again)  # the same picture twice cannot be averaged


def test_pictures_noise_key_secret_unless_seed():
  """The noise key is secret unless a seed is given."""
  assert (hiding._key(1) == hiding._key(1)).all()
  assert not (hiding._key(None) == hiding._key(None)).all()


def test_pictures_faces_left_alone_region_rest():
  """Faces are left alone by region and the rest by only."""
  region = selection.parse(["10,10,50,50"], None)
  box = np.float32([20, 20, 20, 20])
  assert not selection.Selection(keep=region).hides(box, 0, 1)
  assert selection.Selection(keep=region).hides(box + [40, 0, 0, 0], 0, 1)
  assert selection.Selection(only=region).hides(box, 0, 1)
  assert not selection.Selection(only=region).hides(box + [40, 0, 0, 0], 0, 1)
  with pytest.raises(ValueError, match="X,Y,WIDTH,HEIGHT"):
    selection.parse(["left"], None)


def test_pictures_track_kept_only_earlier_pass(tmp_path):
  """A track is kept only where the earlier pass is the same."""
  finding = {"sha256": "a", "every": 1}
  frames = [{"frame": 3, "faces": [{"track": 2, "box": [10, 10, 20, 20]}]}]
  path = tmp_path / "safe.json"
  path.write_text(json.dumps({"finding": finding, "frames": frames, "tracks": [{"track": 2}]}))
  (known,) = selection.parse([f"{path}:2"], finding)
  assert known.holds(np.float32([11, 10, 20, 20]), 3, 2)
  assert not known.holds(np.float32([40, 10, 20, 20]), 3, 2)  # the same number at another place
  assert not known.holds(np.float32([11, 10, 20, 20]), 4, 2) and not known.holds(np.float32([11, 10, 20, 20]), 3, 1)
  with pytest.raises(ValueError, match="every 1 then, 2 now"):
    selection.parse([f"{path}:2"], finding | {"every": 2})
  with pytest.raises(ValueError, match=r"no track 5; its tracks are \[2\]"):
    selection.parse([f"{path}:5"], finding)


def photograph(path, drawn, **options):
  exif = Image.Exif()
  exif[0x0112] = 6  # stored lying on its side
  exif[0x010F] = "Camera"
  exif.get_ifd(0x8825)[1] = "N"
  Image.fromarray(np.rot90(np.pad(drawn, ((20, 30), (10, 40), (0, 0)), mode="edge"))).save(path, exif=exif, **options)


def test_pictures_folder_keeps_tree_names_failures(drawn, tmp_path, capsys):
  """A folder keeps its tree names failures strips words and goes on."""
  photos, safe = tmp_path / "photos", tmp_path / "safe"
  (photos / "a").mkdir(parents=True)
  photograph(photos / "a" / "one.jpg", drawn, quality=95)
  photograph(photos / "two.png", drawn)
  (photos / "torn.jpg").write_bytes((photos / "a" / "one.jpg").read_bytes()[:900])
  (photos / "notes.txt").write_text("who is who")
  assert program.main([str(photos), str(safe), "--preview"]) == program.FAILED
  message = capsys.readouterr().err
  assert "failed: torn.jpg" in message and "notes.txt" in message and "done before" not in message
  there = {str(p.relative_to(safe)) for p in safe.rglob("*") if p.is_file()}
  assert there == {"a/one.jpg", "two.png", ".deidentified.jsonl"}
  with Image.open(safe / "a" / "one.jpg") as image:
    assert image.size == (146, 146) and not image.getexif()
  record = json.loads((tmp_path / "safe.json").read_text())
  assert {row["file"] for row in record["files"]} == {"a/one.jpg", "torn.jpg", "two.png"}
  assert record["left_out"] == ["notes.txt"] and (tmp_path / "safe.preview.png").stat().st_size > 1000
  (photos / "torn.jpg").unlink()
  photograph(photos / "two.png", drawn[:, ::-1])
  first = (safe / "a" / "one.jpg").stat().st_mtime_ns
  assert program.main([str(photos), str(safe), "--preview"]) == program.OK
  assert "1 of them done before" in capsys.readouterr().err
  assert (safe / "a" / "one.jpg").stat().st_mtime_ns == first
  assert program.main([str(photos), str(photos / "inside")]) == program.FAILED


def test_pictures_words_kept_purpose_no_thumbnail(drawn, tmp_path):
  """Words are kept on purpose but no thumbnail and no second turn."""
  photograph(tmp_path / "in.jpg", drawn, quality=95)
  status = program.main([str(tmp_path / "in.jpg"), str(tmp_path / "out.jpg"), "--keep-metadata"])
  with Image.open(tmp_path / "out.jpg") as image:
    exif = image.getexif()
    assert status == program.OK and exif[0x010F] == "Camera" and 0x0112 not in exif
    assert exif.get_ifd(0x8825)[1] == "N"
  assert json.loads((tmp_path / "out.jpg.json").read_text())["faces"]


def test_pictures_without_face_left_masked_refused(tmp_path):
  """A picture without a face is left masked or refused."""
  empty = np.full((50, 60, 3), 90, np.uint8)
  finder, hider = detectors.open_detector("haar"), hiding.Hider(methods.open_method("solid"))
  done = pictures.protect(empty, finder, hider, selection.Selection())
  assert (done.image == empty).all() and done.notes == ["no face was found; smaller ones than 12 pixels could not be"]
  assert not pictures.protect(empty, finder, hider, selection.Selection(), "mask").image.any()
  with pytest.raises(pictures.NoFace):
    pictures.protect(empty, finder, hider, selection.Selection(), "stop")


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (["in.png"], "OUT is missing"),
    (["absent.png", "out.png"], "does not exist"),
    (["in.png", "in.png"], "never replaced"),
    (["in.png", "there.png"], "--overwrite"),
    (["in.png", "/"], "name a file or folder below it"),
    (["in.png", "out.png", "--method=blurr"], "blurr"),
    (["in.png", "out.png", "--method=identity"], "identity"),
    (["in.png", "out.png", "--method=mosaic:blok=3"], "blok"),
    (["in.png", "out.png", "--margin=9"], "from 0 to 2"),
    (["in.png", "out.png", "--margin=0.1", "--mask-scale=1.3"], "give one"),
    (["-", "-"], "--raw"),
    (["in.png", "-"], "IN is a picture"),
    (["in.png", "out.png", "--start=3", "--end=2"], "not after"),
  ],
)
def test_pictures_wrong_commands_status_2_write(arguments, message, tmp_path, monkeypatch, capsys):
  """Wrong commands have status 2 and write nothing."""
  monkeypatch.chdir(tmp_path)
  for name in ("in.png", "there.png"):
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(name)
  try:
    status = program.main(arguments)
  except SystemExit as stopped:
    status = stopped.code
  assert status == program.USAGE and message in capsys.readouterr().err
  assert {p.name for p in tmp_path.iterdir()} == {"in.png", "there.png"}


def test_pictures_words_deface_understood():
  """The words of deface are understood."""
  given = options.parse(["a.mp4", "-o", "b.mp4", "-t", "0.3", "-s", "640x360", "--mask-scale", "1.3", "-k", "-m"])
  assert (given.target, given.thresh, given.scale, given.keep_metadata) == ("b.mp4", 0.3, 640, True)
  assert given.margin == pytest.approx(0.3) and given.audio
  assert options.parse(["cam", "b.mp4", "--boxes", "--replacewith", "mosaic"]).method == "mosaic"


def test_pictures_contact_sheet_spread_over_all(tmp_path):
  """A contact sheet is spread over all that came."""
  sheet = ContactSheet()
  for level in range(200):
    sheet.add(np.full((20, 30, 3), level, np.uint8))
  sheet.write(tmp_path / "sheet.png")
  with Image.open(tmp_path / "sheet.png") as image:
    levels = np.unique(np.asarray(image))
  assert 12 <= len(levels) - 1 <= 24 and levels[-2] >= 180 and levels[-1] == 255


def test_pictures_detections_contract_arrays():
  """Detections are a contract of arrays."""
  found = detectors.open_detector("haar").find(np.zeros((30, 30, 3), np.uint8))
  assert isinstance(found, types.Detections) and found.boxes.shape == (0, 4) and found.scores.dtype == np.float32


def test_pictures_aligned_mean_of_a_gallery(tmp_path, monkeypatch):
  """A method that averages other people takes them from a folder, and asks for one by name where there is none."""
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
  drawn = synthetic.make(num_people=14, images_per_person=1, frame_size=128)
  (tmp_path / "gallery").mkdir()
  for i in range(1, 14):
    images.write_image(tmp_path / "gallery" / f"{i}.png", drawn[i].image)
  picture = np.asarray(drawn[0].image)
  found = deidentify(picture, "aligned_mean:k=5", gallery=str(tmp_path / "gallery"), seed=1)
  assert len(found.faces[0]) == 1
  x, y, width, height = (int(v) for v in found.faces[0][0]["box"])
  changed = (found.images != picture).any(-1)
  assert changed[y + height // 3 : y + 2 * height // 3, x + width // 3 : x + 2 * width // 3].mean() > 0.9
  outside = np.ones(changed.shape, bool)
  outside[max(y - height // 3, 0) : y + 4 * height // 3, max(x - width // 3, 0) : x + 4 * width // 3] = False
  assert not changed[outside].any()
  with pytest.raises(ValueError, match="--gallery=FOLDER"):
    deidentify(picture, "aligned_mean")
  with pytest.raises(ValueError, match="k is 50, but the gallery has"):
    deidentify(picture, "aligned_mean:k=50", gallery=str(tmp_path / "gallery"))
