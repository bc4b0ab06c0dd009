"""The page: every section, every number, no request, no markup from outside."""

import base64
import copy
import io
import json

import fabricated_run
import numpy as np
import page_reader
import pytest
from PIL import Image

from qm_vae.report import __main__ as command
from qm_vae.report import files, page, published, tables

SECTIONS = (
  "look", "headline", "controls", "methods", "expressions", "kept", "privacy", "epochs", "probabilities", "quality",
  "examples", "case", "parties", "data", "run",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  """(workdir, report, arrays, Reader) of a complete run, rendered once."""
  workdir = tmp_path_factory.mktemp("run")
  report, arrays = fabricated_run.report(), fabricated_run.arrays()
  fabricated_run.write(workdir, report, arrays)
  path = page.write(workdir)
  assert path == workdir / "report.html"
  return workdir, report, arrays, page_reader.Reader(path.read_text(encoding="utf-8"))


def rendered(report, arrays=None):
  """Reader of a page without plotted figures, which takes milliseconds."""
  return page_reader.Reader(page.render(report, arrays or {}, {}))


def test_page_every_section_linked(run):
  """Every section is there and linked."""
  ids = {value for _, name, value in run[3].attributes if name == "id"}
  links = {value for tag, name, value in run[3].attributes if tag == "a" and name == "href"}
  assert set(SECTIONS) <= ids
  assert links == {f"#{name}" for name in SECTIONS}
  assert "not measured" not in run[3].text.replace("Accuracy on labelled faces not measured", "")


def test_page_loads_nothing(run):
  """Loads nothing."""
  page_reader.check_loads_nothing(run[0] / "report.html")


def test_page_all_pictures_decode(run):
  """All pictures decode."""
  sources = [value for tag, name, value in run[3].attributes if tag == "img" and name == "src"]
  assert len(sources) == 12 + 6 * 6  # twelve plotted figures; six examples with original, four views and the output
  for source in sources:
    Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1]))).load()


def test_page_example_pictures_arrays(run):
  """Example pictures are the arrays."""
  _, report, arrays, _ = run
  columns, rows = page.example_rows(report, arrays)
  assert columns == ["original", *fabricated_run.VIEWS, "qm_vae"]
  for column, key in ((0, "original"), (-1, "method_qm_vae")):
    image = np.asarray(Image.open(io.BytesIO(rows[3][1][column][0])).convert("RGB"))
    np.testing.assert_array_equal(image, arrays[key][3])
  assert [answer for _, answer, _ in rows[2][1]] == ["happy", None, "neutral", "happy", None, "sad"]
  assert [lost for _, _, lost in rows[2][1]] == [False, False, True, False, False, True]


def test_page_figures_written(run):
  """Figures are written."""
  written = {path.name for path in (run[0] / "figures").iterdir()}
  assert written == {
    f"{name}.png"
    for name in (
      "first_look", "loss_rates", "per_expression",
      "loss_rate_over_epochs", "probability_scatter", "probability_differences",
      "examples", "case", "privacy_utility", "frontier", "privacy_rank_1", "privacy_cmc", "privacy_roc",
    )
  }  # fmt: skip
  for name in written:
    assert min(Image.open(run[0] / "figures" / name).size) > 300


def test_page_every_rate_report_stands_page(run):
  """Every rate of the report stands on the page unrounded."""
  expected = page_reader.rates(run[1])
  assert len(expected) > 200
  assert set(expected) <= set(run[3].values)


def test_page_numbers_stand_belong(run):
  """Numbers stand where they belong."""
  _, report, _, reader = run
  ours = tables.method(report, "qm_vae")
  judge = tables.judged(ours, report["gap"]["judge"])
  low, high = (tables.number(ours["loss_rate"][key]) for key in ("low", "high"))
  assert (
    f"Loss rate by the service in the loss 0.138 0 1 95 % interval [ {low} , {high} ], n = 200 Paper: 0.14"
    in reader.text
  )
  assert f"independent judge: small_cnn {tables.number(judge['service_answer']['value'])} 0 1" in reader.text
  assert (
    "Gap: the adversarial share 0.175 0 the two loss rates 1 95 % interval [ 0.110 , 0.240 ], n = 200 Independent"
    in reader.text
  )
  assert "bootstrap over people" in reader.text  # the gap's own method stands at the foot
  assert "the two already disagree on 0.235" in reader.text  # 1 - 0.765
  for name, value in published.LOSS_RATES.items():
    assert name == "amt_gan" or f" {value} " in reader.text
  assert reader.text.count(" 0.207 ") == 2
  assert "duplicates dropped 1" in reader.text.lower()


def test_page_goes_past_paper_stands_page(run):
  """What goes past the paper stands on the page."""
  _, _, _, reader = run
  promised = "exponential on 1 code of 64, epsilon 0.7 in all, plus one of 7 answers, released unchanged."
  assert f"{promised} Rank 1 is at most 0.343 among 40, 0.116 among 120." in reader.text
  assert "Requested by the service by judge small_cnn angry 0.900 0.800 disgust 0.850 0.750" in reader.text
  assert "Expression Judge small_cnn Judge vgg_like angry 0.250" in reader.text


def test_page_promises_every_kind_told():
  """Promises of every kind are told."""
  common = {"tokens": 2, "codes": 16, "answers": 1, "rank_1": [{"people": 50, "at_most": 0.2}]}
  printed = tables.guarantee(common | {"mechanism": "k_same", "k": 5})
  assert printed == (
    "k-same, k = 5: at least 5 people share 2 codes of 16 and one answer. Rank 1 is at most 0.200 among 50."
  )
  assert tables.guarantee(common | {"mechanism": "none", "bits": 8.0}).startswith("a face takes one of 2^8.0 forms")


def test_page_text_outside_escaped(run):
  """Text from outside is escaped."""
  source = (run[0] / "report.html").read_text(encoding="utf-8")
  assert "<script" not in source and "<img src=x" not in source and "\u202e" not in source
  assert (
    source.count(
      "a &lt;script&gt;alert(1)&lt;/script&gt; &amp; &#34;b&#34; &#39;c&#39; \\udc80\\u202e日本 $\\frac$\\n.jpg"
    )
    == 2
  )
  assert '"note": "line\\nfeed <b>"' in run[3].text


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
@pytest.mark.parametrize("field", ["class", "judge", "method", "data", "service", "reason"])
def test_hostile_names_everywhere(field, tmp_path):
  """Names from a configuration reach tables and figures; matplotlib must not read them as mathematics."""
  evil = "$\\x$</title><script>x</script>" + fabricated_run.EVIL
  report, arrays = fabricated_run.report(epochs=2), fabricated_run.arrays()
  del report["privacy"]  # has a test of its own
  arrays = {name: a[:2] if name.startswith(("original", "method_")) else a for name, a in arrays.items()}
  if field == "class":
    report["probabilities"]["classes"] = report["service"]["classes"] = [evil] * 7
    report["examples"][0]["service_answer_output"] = report["case"]["service_answer_output"] = evil
    for method in report["methods"]:
      method["per_expression"][0]["expression"] = evil
  elif field == "judge":
    report["judges"][0]["name"] = report["gap"]["judge"] = evil
    report["curve"] = [{**point, "judges": {evil: 0.5}} for point in report["curve"]]
    for method in report["methods"]:
      method["judges"][0]["name"] = evil
  elif field == "method":
    report["methods"][2]["name"] = evil
    report["case"]["views"] = [evil] * 4
  elif field == "reason":
    report["controls"].update(void=True, reasons=[evil])
    report["not_measured"] = {"noise_floor": evil}
    report["noise_floor"] = None
  else:
    report[field]["name"] = evil
  if field in ("class", "judge", "method"):
    fabricated_run.write(tmp_path, report, arrays)
    reader = page_reader.Reader(page.write(tmp_path).read_text(encoding="utf-8"))
  else:  # no figure shows these
    reader = rendered(json.loads(json.dumps(report)), arrays)
  assert "script" not in reader.tags
  assert "</title><script>x</script>" in reader.text


@pytest.mark.parametrize("empty", ["absent", "null"])
def test_page_without_any_optional_section(empty, tmp_path):
  """Without any optional section."""
  report = {"version": 1}
  if empty == "null":
    report |= dict.fromkeys(fabricated_run.report(), None) | {"version": 1}
  (tmp_path / "report.json").write_text(json.dumps(report))
  reader = page_reader.Reader(page.write(tmp_path).read_text(encoding="utf-8"))
  without_pictures = set(SECTIONS) - {"look"}
  assert without_pictures <= {value for _, name, value in reader.attributes if name == "id"}
  assert reader.text.count("not measured") >= len(SECTIONS)
  assert not reader.values
  assert not list((tmp_path / "figures").iterdir())


@pytest.mark.parametrize("section", sorted(set(fabricated_run.report()) - {"version"}))
def test_page_each_section_missing_alone(section):
  """Each section may be missing alone."""
  report = fabricated_run.report()
  del report[section]
  arrays = fabricated_run.arrays()
  reader = rendered(report, {"original": arrays["original"][:1], "method_qm_vae": arrays["method_qm_vae"][:1]})
  assert "script" not in reader.tags
  assert ("0.138 0 1 95 %" in reader.text) == (section != "methods")


def test_page_says_why_something_not_measured():
  """Says why something was not measured."""
  report = fabricated_run.report()
  report |= {"judges": None, "gap": None, "not_measured": {"gap": "config.judges is empty", "judges": "none named"}}
  for method in report["methods"]:
    method["judges"] = []
  text = rendered(report).text
  assert "so the adversarial share is unknown. not measured: config.judges is empty" in text
  assert "NO independent judge evaluated these pictures: none named." in text


@pytest.mark.parametrize("judges", [[], None])
def test_page_headline_says_no_judge_looked(judges):
  """Headline says that no judge looked."""
  report = fabricated_run.report()
  assert "independent judge was used" not in rendered(report).text
  report |= {"judges": judges, "gap": None}
  for method in report["methods"]:
    method["judges"] = []
  reader = rendered(report)
  assert ("p", "class", "nojudge") in reader.attributes
  headline = reader.text[: reader.text.index("Controls and noise floor")]
  assert "NO independent judge evaluated these pictures." in headline
  assert "Loss rate by an independent judge none No independent judge was used." in headline
  assert "Gap: the adversarial share none No independent judge was used, so" in headline
  assert "Why both" not in headline and "not measured" not in headline


def test_page_judge_goes_name_architecture_stands():
  """A judge goes by its name and its architecture stands beside it."""
  report = fabricated_run.report()
  names = [judge["name"] for judge in report["judges"]]
  assert all(name != judge["architecture"] for name, judge in zip(names, report["judges"], strict=True))
  assert all([judge["name"] for judge in method["judges"]] == names for method in report["methods"])
  assert tables.judge_names(report) == names
  reader = rendered(report)
  for name, judge in zip(names, report["judges"], strict=True):
    assert f" {name} {judge['architecture']} " in reader.text
  assert tables.headline(report)["baseline"]["value"] == pytest.approx(1 - 0.765, abs=1e-15)  # one rounding near 1


@pytest.mark.parametrize(
  ("split", "known", "both", "said"),
  [
    ("identity", True, 0, "by identity: nobody is in both parts"),
    ("identity", True, None, "by identity: people in both parts were not counted"),
    ("identity", False, None, "by identity: every face counts as its own person, since no identities are known"),
    ("identity", None, None, "by identity: people in both parts were not counted"),
    ("order", True, 37, "in file order, as in the paper: 37 people are in both parts"),
    ("order", True, 1, "in file order, as in the paper: 1 person is in both parts"),
    ("order", True, 0, "in file order, as in the paper: nobody is in both parts"),
    (
      "order",
      False,
      None,
      "in file order, as in the paper: people in both parts are unknown, since no identities are known",
    ),
    (
      "published",
      False,
      None,
      "the dataset's own: people in both parts are unknown, since no identities are known",
    ),
    ("published", True, 2, "the dataset's own: 2 people are in both parts"),
  ],
)
def test_page_split_claims_only_data_know(split, known, both, said):
  """Split claims only what the data know."""
  report = fabricated_run.report()
  report["data"] |= {"split": split, "identities_known": known, "people_on_both_sides": both}
  for side in ("train", "test"):
    report["data"][side]["identities"] = 0 if known is False else 40
  assert f"{said}; seed 0" in rendered(report).text


def test_page_split_data_name_some_people():
  """Split of data that name some people does not say nobody."""
  data = fabricated_run.report()["data"] | {"identities_known": False, "people_on_both_sides": None}
  said = "by identity: every face without a name counts as its own person, since not all identities are known"
  assert tables.split(data) == said


def test_page_headline_tells_constant_answer_loses():
  """Headline tells what a constant answer loses."""
  report = fabricated_run.report()
  low, high = (tables.number(report["service"]["constant_answer"][key]) for key in ("low", "high"))
  said = f"Always giving the most frequent answer would lose 0.545 [ {low} , {high} ] n = 200 ;"
  text = rendered(report).text
  assert said in text and text.index(said) < text.index("Controls and noise floor")
  del report["service"]["constant_answer"]
  assert "always giving the most frequent answer would lose: not measured" in rendered(report).text


def test_page_pipeline_column_names_floor():
  """Pipeline column names its floor."""
  report = fabricated_run.report()
  text = rendered(report).text
  assert "whole pipeline floor: row identity" in text
  assert "cropping and pasting without any protection cost 0.060" in text
  for method in report["methods"]:
    method |= {"pipeline_loss_rate": None, "pipeline_no_face": None}
  assert "floor: row identity" not in rendered(report).text


def test_page_time_training_told_said_not():
  """Time of training is told or said not to be measured."""
  report = fabricated_run.report()
  assert "Time of training 312 s wall-clock time, including compilation and evaluations" in rendered(report).text
  report["training"]["seconds"] = None
  assert "Time of training not measured" in rendered(report).text


def test_page_void_banner():
  """Void banner."""
  report = fabricated_run.report()
  assert "VOID" not in rendered(report).text and "Verdict: valid" in rendered(report).text
  report["controls"] |= {"void": True, "reasons": ["identity lost 0.02 of its answers"]}
  reader = rendered(report)
  assert ("div", "role", "alert") in reader.attributes
  assert "VOID The controls failed. No number on this page may be used. identity lost 0.02" in reader.text
  assert reader.text.index("VOID The controls") < reader.text.index("Headline Controls")
  assert "Verdict: void" in reader.text and "Verdict: valid" not in reader.text
  assert ("body", "class", "isvoid") in reader.attributes


def test_page_unmeasured_numbers_dashes_not_zeros(tmp_path):
  """Unmeasured numbers are dashes not zeros."""
  report = fabricated_run.report()
  ours = tables.method(report, "qm_vae")
  ours["loss_rate"] = {"value": None, "n": 0, "low": None, "high": None, "method": "Wilson"}
  ours["psnr"]["value"] = float("nan")  # Python's json writes NaN
  fabricated_run.write(tmp_path, report, {})
  reader = rendered(files.read(tmp_path)[0])
  assert "Loss rate by the service in the loss – not measured" in reader.text
  assert not any(value != value for value in reader.values) and "nan" not in reader.text.lower().split()


def test_page_missed_files_fold_away_only():
  """Missed files fold away only when there are many."""
  report = fabricated_run.report()
  folded = rendered(report)
  assert folded.text.count("no face found") >= 11 and "Show all 12 with their reasons" in folded.text
  report["data"]["missed"] = report["data"]["missed"][:3]
  assert "Show all" not in rendered(report).text and "000002.jpg" in rendered(report).text


def test_page_writing_again_gives_same_drops(tmp_path):
  """Writing again gives the same and drops stale figures."""
  report = fabricated_run.report(epochs=2)
  for section in ("privacy", "methods", "probabilities"):  # one figure is enough
    del report[section]
  fabricated_run.write(tmp_path, report, {})
  first = page.write(tmp_path).read_bytes()
  assert page.write(tmp_path).read_bytes() == first
  assert (tmp_path / "figures" / "loss_rate_over_epochs.png").exists()
  del report["curve"]
  fabricated_run.write(tmp_path, report, {})
  page.write(tmp_path)
  assert not (tmp_path / "figures" / "loss_rate_over_epochs.png").exists()
  assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


def test_page_differences_name_run_not_share():
  """Differences name what this run does not share with the paper."""
  report = copy.deepcopy(fabricated_run.report(alpha=0.7, epochs=3))
  said = "\n".join(published.differences(report))
  for part in ("synthetic", "CelebA", "64 x 64", "mini_xception", "alpha: 0.7 here; 0.4", "epochs: 3 here; 40"):
    assert part in said
  assert published.differences({})
  assert "alpha" not in "\n".join(published.differences(fabricated_run.report()))


def test_page_command_renders_explains_itself(tmp_path, capsys):
  """Command renders and explains itself."""
  fabricated_run.write(tmp_path, {"version": 1}, {})
  assert command.main([str(tmp_path)]) == 0
  assert capsys.readouterr().out.strip() == str(tmp_path / "report.html")
  with pytest.raises(SystemExit) as stop:
    command.main(["--help"])
  assert stop.value.code == 0 and "report.json" in capsys.readouterr().out


@pytest.mark.parametrize(
  ("name", "content", "said"),
  [
    ("report.json", None, "does not exist"),
    ("report.json", b"{", "is no JSON"),
    ("report.json", b"[]", "version None"),
    ("report.json", b'{"version": 2}', "version 2"),
    ("evaluation.npz", b"PK\x03\x04 cut off", "cannot be read"),
    ("evaluation.npz", b"", "cannot be read"),
  ],
)
def test_page_unreadable_files_named(name, content, said, tmp_path, capsys):
  """Unreadable files are named."""
  fabricated_run.write(tmp_path, {"version": 1}, {})
  (tmp_path / name).unlink()
  if content is not None:
    (tmp_path / name).write_bytes(content)
  with pytest.raises(files.UnreadableReport, match=said):
    files.read(tmp_path)
  assert command.main([str(tmp_path)]) == 2
  assert name in capsys.readouterr().err


def test_page_pickled_arrays_refused(tmp_path):
  """Pickled arrays are refused."""
  fabricated_run.write(tmp_path, {"version": 1}, {"original": np.array([{}], object)})
  with pytest.raises(files.UnreadableReport, match=r"evaluation\.npz cannot be read"):
    files.read(tmp_path)


def test_page_example_pictures_are_described_by_their_row():
  """The alternative text of an example counts faces, not columns."""
  alts = [
    value for _, key, value in rendered(fabricated_run.report(), fabricated_run.arrays()).attributes if key == "alt"
  ]
  assert [alt for alt in alts if alt.startswith("QM-VAE of")] == [f"QM-VAE of example {i + 1}" for i in range(6)]
