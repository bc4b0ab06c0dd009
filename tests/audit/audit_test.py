"""The audit program on drawn people: what it refuses, what it names, and what its exit status says."""

import json

import cv2
import jax
import numpy as np
import pytest

from qm_vae.audit import __main__ as audit_program
from qm_vae.audit import audit
from qm_vae.data import synthetic
from qm_vae.embedders import network
from qm_vae.io import networks

PEOPLE, EACH = 26, 3


@pytest.fixture(scope="module")
def world(tmp_path_factory):
  """(folder, recogniser): originals by person, and an untrained recogniser."""
  home = tmp_path_factory.mktemp("audit")
  source = synthetic.make(num_people=PEOPLE, images_per_person=EACH, frame_size=72)
  for i in range(len(source)):
    record = source[i]
    # A tint of their own makes people known to a network that never learnt anything.
    tint = np.random.default_rng(record.identity).uniform(0, 255, 3)
    image = (0.4 * record.image + 0.6 * tint).astype(np.uint8)
    write(home / "originals" / f"person {record.identity}" / f"{i}.png", image)
  meta = network.describe("small", (32, 32), (11, 15, 21, 15), options={"widths": (8, 8), "embedding_size": 16})
  module = network.network(meta)
  variables = module.init(jax.random.key(0), np.zeros((1, 32, 32, 3), np.float32))
  networks.save(home / "recogniser", meta, variables)
  return home


def write(path, image):
  path.parent.mkdir(parents=True, exist_ok=True)
  cv2.imwrite(str(path), image[..., ::-1])


def protect(home, name, method):
  """A folder in which `method(image, number)` was written under each original's name."""
  for path in sorted((home / "originals").rglob("*.png")):
    image = method(cv2.imread(str(path))[..., ::-1], int(path.stem))
    write(home / name / path.relative_to(home / "originals"), image)
  return home / name


def run(home, protected, tmp_path, capsys, *flags):
  """(exit status, audit.json or None, what was printed)."""
  given = [home / "originals", protected, f"--embedder={home / 'recogniser'}", f"--out={tmp_path / 'out'}"]
  status = audit_program.main(
    [*map(str, given), "--size=32", "--detector=none", "--attackers=naive,residual,codes", "--face-detector=", *flags]
  )
  message = capsys.readouterr()
  path = tmp_path / "out" / "audit.json"
  return status, json.loads(path.read_text()) if path.exists() else None, message.out + message.err


def blurred(image, number):
  return cv2.GaussianBlur(np.ascontiguousarray(image), (0, 0), 4)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_audit_tool_audited_limit_kept(world, tmp_path, capsys):
  """A tool is audited and a limit is kept."""
  status, report, message = run(world, protect(world, "blurred", blurred), tmp_path, capsys, "--max-rank1=1")
  assert status == 0 and report["verdict"]["exit"] == 0, message
  assert report["privacy"]["people"]["attacked"] == PEOPLE // 2 and not report["privacy"]["controls"]["void"]
  assert [row["attacker"] for row in report["privacy"]["methods"][-1]["left_out"]] == ["codes"]
  page = (tmp_path / "out" / "audit.html").read_text()
  assert "residual" in page and "data:image/png" in page and "Chance is" in message
  for rows in (report["privacy"]["methods"], report["utility"]["methods"]):
    assert [row["name"] for row in rows] == ["identity", "blank", "aligned_mean", "protected"]
  assert report["utility"]["not_measured"] == {"found_again": "no face detector is named"}
  assert report["privacy"]["shown_in_clear"]["value"] == 0 and "Does the face add anything" in page
  assert "the baseline aligned mean" in page and report["not_measured"] == {}
  with np.load(tmp_path / "out" / "audit.npz", allow_pickle=False) as arrays:
    assert arrays["worst_rank"][0] <= arrays["best_rank"][-1] and arrays["worst_original"].dtype == np.uint8
  status, report, message = run(
    world, world / "blurred", tmp_path, capsys, "--max-rank1=0.01", "--no-pictures", "--probes=2"
  )
  assert status == 3 and "--max-rank1 allows 0.01" in message
  with np.load(tmp_path / "out" / "audit.npz") as arrays:
    assert not arrays.files


def test_audit_comes_back_cannot_read_named(world, tmp_path, capsys):
  """What comes back as it was or cannot be read is named."""
  protected = protect(world, "some", lambda image, i: image if i in (7, 30) else blurred(image, i))
  broken = next(protected.rglob("5.png"))
  broken.write_bytes(broken.read_bytes()[:100])
  status, report, message = run(world, protected, tmp_path, capsys)
  assert report["files"]["unreadable"][0]["name"].endswith("/5.png") and "not judged" in message
  assert status == 3 and {one["name"].rsplit("/")[-1] for one in report["unprotected"]} == {"7.png", "30.png"}
  assert "(identical)" in message and report["unprotected"][0]["name"] in message


def test_audit_bits_name_people_found_recogniser(world, tmp_path, capsys):
  """Bits that name people are found where the recogniser sees noise."""

  def doctored(image, number):
    noise = np.random.default_rng(number).integers(0, 256, image.shape).astype(np.uint8)
    return noise & 254 | np.random.default_rng(number // EACH).integers(0, 2, image.shape).astype(np.uint8)

  status, report, _ = run(world, protect(world, "bits", doctored), tmp_path, capsys, "--max-rank1=0.5")
  by = {attack["attacker"]: attack["crowds"][-1] for attack in report["privacy"]["methods"][-1]["attacks"]}
  assert status == 3 and by["residual"]["rank_1"]["value"] == 1
  assert by["naive"]["rank_1"]["low"] <= by["naive"]["chance"]["rank_1"] <= by["naive"]["rank_1"]["high"]


@pytest.mark.parametrize(
  ("spoil", "message"),
  [
    (lambda folder: next(folder.rglob("8.png")).unlink(), "8"),
    (lambda folder: write(folder / "person 0" / "extra.png", np.zeros((8, 8, 3), np.uint8)), "extra"),
    (lambda folder: swap(next(folder.rglob("3.png")), next(folder.rglob("40.png"))), "shows the original of"),
  ],
)
def test_audit_files_not_match_refused_name(world, tmp_path, capsys, spoil, message):
  """Files that do not match are refused by name."""
  folder = protect(world, "spoilt " + message, lambda image, i: np.clip(image + 5.0, 0, 255).astype(np.uint8))
  spoil(folder)
  status, report, printed = run(world, folder, tmp_path, capsys)
  assert status == 1 and report is None and message in printed


def swap(one, other):
  one.rename(one.with_suffix(".aside"))
  other.rename(one)
  one.with_suffix(".aside").rename(other)


def test_audit_csv_other_columns_refused_name(world, tmp_path, capsys):
  """A CSV with other columns is refused by name."""
  labels = tmp_path / "labels.csv"
  labels.write_text("file,who\n0.png,1\n")
  protected = protect(world, "blurred", blurred)
  status, report, message = run(world, protected, tmp_path, capsys, f"--labels={labels}")
  assert status == 1 and report is None and "labels.csv" in message and "image" in message


def test_audit_wrong_options_not_look_like(capsys):
  """Wrong options do not look like a failed control."""
  with pytest.raises(SystemExit) as stopped:
    audit_program.main(["a", "b", "--embedder=x", "--attackers=everyone"])
  assert stopped.value.code == 1 and "naive" in capsys.readouterr().err


def test_audit_verdict_puts_void_first():
  """The verdict puts what is void first."""
  rate = {"value": 0.2, "low": 0.1, "high": 0.3, "n": 50}
  privacy = {"controls": {"void": []}, "methods": [{"headline": {"rank_1": rate}}]}
  files = {"unreadable": [{"name": "a", "reason": "b"}], "incomparable": [], "missed": [], "further": []}
  report = {"privacy": privacy, "files": files, "unprotected": [], "max_rank1": 0.3}
  assert audit.verdict(report)["exit"] == 1
  assert audit.verdict(report | {"max_rank1": 0.29})["exit"] == 3
  assert audit.verdict(report | {"max_rank1": None, "unprotected": [{"name": "a", "psnr": None}]})["exit"] == 3
  void = privacy | {"controls": {"void": ["blank"]}}
  assert audit.verdict(report | {"privacy": void, "max_rank1": 0.1})["exit"] == 2
  nobody = {"controls": {"void": []}, "methods": [{"headline": None}]}
  assert audit.verdict(report | {"privacy": nobody})["exit"] == 2
