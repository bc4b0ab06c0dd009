"""Decisions of a person: their texts and file, and that the pass which applies them seeks no face again."""

import json

import numpy as np
import pytest
from PIL import Image

from qm_vae.data import synthetic
from qm_vae.deidentify import __main__ as program
from qm_vae.deidentify import decisions, options, record, reviewed
from qm_vae.deidentify.sidecar import Sidecar
from qm_vae.deidentify.tracking.places import Place
from qm_vae.faces import cropping


@pytest.mark.parametrize(
  ("text", "first", "last"), [("12:1,2,3,4", 12, 12), ("12-40:1,2,3,4", 12, 40), ("12-:1,2,3,4", 12, None)]
)
def test_decisions_add_names_frames(text, first, last):
  """FRAMES is one frame, a range with both ends, or open to the end."""
  (row,) = decisions.parse([text], []).rows
  assert (row.first, row.last) == (first, last)
  np.testing.assert_array_equal(row.box_at(99), [1, 2, 3, 4])


def test_decisions_add_moves_on_a_line():
  """A second box is where the region is in its last frame; between them it moves on a line."""
  made = decisions.parse(["10-20:0,0,10,20:100,40,30,20"], [])
  assert not made.added(9) and not made.added(21)
  (place,) = made.added(15)
  np.testing.assert_allclose(place.box, [50, 20, 20, 20])
  assert place.track == decisions.FIRST_ADDED and place.how == decisions.ADDED and not place.lost


@pytest.mark.parametrize(
  ("adds", "drops"),
  [
    (["1,2,3,4"], []),
    (["5:1,2,3"], []),
    (["9-5:1,2,3,4"], []),
    (["5:1,2,0,4"], []),
    (["5-:1,2,3,4:5,6,7,8"], []),
    ([], ["x"]),
    ([], ["0"]),
    ([], ["3:9-5"]),
    ([], ["1000001"]),
  ],
)
def test_decisions_other_texts_refused(adds, drops):
  """What names no region and no track is refused, with the option that was given."""
  with pytest.raises(ValueError, match=r"--add=|--drop="):
    decisions.parse(adds, drops)
  with pytest.raises(SystemExit):
    options.parse(["in.mp4", "out.mp4", *(f"--add={t}" for t in adds), *(f"--drop={t}" for t in drops)])


def test_decisions_later_verdict_counts():
  """Of two decisions about a track and a frame the later counts; others say nothing."""
  rows = [
    {"action": "drop", "track": 3},
    {"action": "hide", "track": 3, "frames": [5, 9]},
    {"action": "keep", "track": 4, "frames": [0, 2]},
  ]
  made = decisions.of_json(rows, "here")
  assert made.hides(3, 4) is False and made.hides(3, 5) is True and made.hides(3, 10) is False
  assert made.hides(4, 2) is False and made.hides(4, 3) is None and made.hides(5, 0) is None
  assert decisions.to_json(made.rows) == rows


@pytest.mark.parametrize(
  "row",
  [
    {},
    {"action": "burn", "track": 1},
    {"action": "drop"},
    {"action": "drop", "track": True},
    {"action": "drop", "track": 1, "frames": [3]},
    {"action": "drop", "track": 1, "frames": [4, 3]},
    {"action": "add", "boxes": []},
    {"action": "add", "boxes": [[0, 1, 2, 3]]},
    {"action": "add", "boxes": [[0, 1, 2, 3, float("nan")]]},
    {"action": "add", "boxes": [[5, 1, 2, 3, 4], [5, 1, 2, 3, 4]]},
    {"action": "method", "track": 1, "method": "mosaic", "frames": [0, 3]},
    {"action": "drop", "track": 1, "path": "/etc"},
  ],
)
def test_decisions_other_rows_refused(row):
  """A row that is none of the decisions is refused with its number."""
  with pytest.raises(ValueError, match="here: decision 1"):
    decisions.of_json([row], "here")


def test_record_reads_what_sidecar_wrote(tmp_path):
  """The record has the faces that were written, whether a frame has a line of its own or not."""
  path = tmp_path / "a.json"
  sidecar = Sidecar(path, {"source": {"width": 9}})
  one = Place(7, np.float32([1, 2, 3, 4]), 0.5, "held", True)
  other = Place(8, np.float32([5, 6, 7, 8]), 0.9, "found", False)
  sidecar.frame(0, 0.0, [], "")
  sidecar.frame(1, 0.04, [(one, True), (other, False)], "")
  sidecar.frame(2, 0.08, [], "damaged")
  sidecar.close({"summary": {"frames": 3}})
  anew = tmp_path / "anew.json"
  anew.write_text(json.dumps(json.loads(path.read_text())))
  for file in (path, anew):
    made = record.read(file)
    assert len(made) == 3 and made.head["source"] == {"width": 9} and made.head["summary"] == {"frames": 3}
    assert made.faces(0) == [] and made.blanked(2) == "damaged" and made.blanked(1) == ""
    (first, hidden), (second, shown) = made.faces(1)
    assert hidden and not shown and first[2:] == one[2:] and second.track == 8
    np.testing.assert_array_equal(first.box, one.box)


def test_record_of_a_picture_refused(tmp_path):
  """The record of pictures, and what is no JSON, are refused with the name of the file."""
  (tmp_path / "a.json").write_text('{"version": 1, "faces": []}')
  (tmp_path / "b.json").write_text("{")
  for name in "ab":
    with pytest.raises(ValueError, match=f"{name}.json"):
      record.read(tmp_path / f"{name}.json")


@pytest.fixture(scope="module")
def drawn():
  """A drawn face that the cascade finds, uint8 [96, 96, 3]."""
  source = synthetic.make(num_people=4, images_per_person=1, frame_size=96, seed=0)
  return next(source[i].image for i in range(4) if len(cropping.detect(source[i].image, cropping.Settings())))


@pytest.fixture
def folder(drawn, tmp_path, monkeypatch):
  """Three pictures: one face, a face upside down, which the cascade misses, and both."""
  monkeypatch.chdir(tmp_path)
  (tmp_path / "photos").mkdir()
  for name, faces in {"one": [drawn], "missed": [drawn[::-1]], "both": [drawn, drawn[::-1]]}.items():
    image = np.full((160, 320, 3), 190, np.uint8)
    for i, face in enumerate(faces):
      image[32:128, 20 + 150 * i : 116 + 150 * i] = face
    Image.fromarray(image).save(tmp_path / "photos" / f"{name}.png")
  assert program.main(["photos", "safe", "--detector=haar", "--min-size=24"]) == program.OK
  return tmp_path


def pixels(path):
  with Image.open(path) as image:
    return np.asarray(image).astype(int)


def review(path, files):
  path.write_text(json.dumps({"version": 1, "record": "safe.json", "files": files}))
  return program.main(["photos", "safe", "--detector=haar", "--min-size=24", f"--review-file={path}"])


def test_decisions_of_a_folder_make_only_their_pictures_again(folder, capsys):
  """A picture with decisions is made again, the others are not touched, and a decision taken back is undone."""
  before = {path.name: path.stat().st_mtime_ns for path in (folder / "safe").glob("*.png")}
  rows = {row["file"]: row["faces"] for row in json.loads((folder / "safe.json").read_text())["files"]}
  assert [len(rows[name]) for name in ("one.png", "missed.png", "both.png")] == [1, 0, 1]
  add = {"action": "add", "frames": [0, 0], "boxes": [[0, 20, 32, 96, 96]]}
  drop = {"action": "drop", "track": 1, "box": rows["both.png"][0]["box"]}
  files = [{"file": "missed.png", "decisions": [add]}, {"file": "both.png", "decisions": [drop]}]
  assert review(folder / "a.review.json", files) == program.OK
  after = {path.name: path.stat().st_mtime_ns for path in (folder / "safe").glob("*.png")}
  assert after["one.png"] == before["one.png"] and after["both.png"] > before["both.png"]
  assert not pixels(folder / "safe" / "missed.png")[32:128, 20:116].any()
  np.testing.assert_array_equal(pixels(folder / "safe" / "both.png"), pixels(folder / "photos" / "both.png"))
  again = {row["file"]: row for row in json.loads((folder / "safe.json").read_text())["files"]}
  assert again["missed.png"]["faces"][0]["how"] == "added" and again["missed.png"]["review"]["decisions"] == [add]
  assert again["missed.png"]["notes"][0].startswith("no face was found") and again["one.png"]["hidden"] == 1
  assert review(folder / "a.review.json", files[1:]) == program.OK
  assert pixels(folder / "safe" / "missed.png")[32:128, 20:116].any()


def test_decisions_about_a_face_elsewhere_refused(folder, capsys):
  """A decision about a face that is not where it was is refused: its number may be somebody else's."""
  drop = {"action": "drop", "track": 1, "box": [200, 100, 40, 40]}
  assert review(folder / "a.review.json", [{"file": "one.png", "decisions": [drop]}]) == program.FAILED
  assert "review the picture again" in capsys.readouterr().err
  assert not (folder / "safe" / "one.png").exists()


def test_decisions_of_another_picture_refused(folder, capsys):
  """A picture that is not the one that was reviewed fails, and says so."""
  files = [{"file": "one.png", "sha256": "0" * 64, "decisions": [{"action": "drop", "track": 1}]}]
  assert review(folder / "a.review.json", files) == program.FAILED
  assert "is not the picture that was reviewed" in capsys.readouterr().err


def test_add_on_the_command_line_of_a_picture(folder):
  """--add hides a region of one picture, and a face that --keep leaves is hidden where somebody drew."""
  keep = "--keep=0,0,320,160"
  arguments = ["photos/both.png", "made.png", "--detector=haar", "--min-size=24", keep, "--add=0:170,32,96,96"]
  assert program.main(arguments) == program.OK
  made = pixels(folder / "made.png")
  assert not made[32:128, 170:266].any() and made[60:100, 40:90].all()
  assert json.loads((folder / "made.png.json").read_text())["review"]["decisions"][0]["action"] == "add"


def test_method_of_a_track_is_its_own(folder):
  """A face with a method of its own is hidden by that, the others by the job's."""
  row = {"action": "add", "frames": [0, 0], "boxes": [[0, 170, 32, 96, 96]], "method": "mosaic:block=48"}
  assert review(folder / "a.review.json", [{"file": "both.png", "decisions": [row]}]) == program.OK
  made = pixels(folder / "safe" / "both.png")
  assert not made[60:100, 40:90].any() and made[60:100, 200:240].all()  # solid is black, a mosaic is not
  assert (made[60:100, 200:240] != pixels(folder / "photos" / "both.png")[60:100, 200:240]).any()


def test_digest_of_decisions_asks_for_the_file_again(folder):
  """A file without decisions has no digest, one with decisions has, and it changes with them."""
  given = options.parse(["photos", "safe", "--review-file=a.review.json"])
  made = []
  for track in (0, 1, 2):
    rows = [{"action": "drop", "track": track}] if track else []
    (folder / "a.review.json").write_text(
      json.dumps(
        {
          "version": 1,
          "files": [{"file": "one.png", "decisions": rows}],
          "signed": {"by": "x", "at": str(track), "note": ""},
        }
      )
    )
    made.append(reviewed.digest(given, folder / "photos" / "one.png"))
  assert made[0] == "" and made[1] and made[1] != made[2]
  assert reviewed.digest(given, folder / "photos" / "both.png") == ""
