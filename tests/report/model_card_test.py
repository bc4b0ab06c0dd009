"""The card of an exported run: its headings, its numbers as the report has them, and what it says without a report."""

import hashlib
import re
import zipfile

import fabricated_privacy
import fabricated_run
import pytest
import untrained_run

from qm_vae import export
from qm_vae.data import DATASETS
from qm_vae.experiments import schema
from qm_vae.options import trait
from qm_vae.report import card_tables, model_card

HEADINGS = [  # Mitchell et al. 2019, Figure 1, in its order, but for training data, which they put last of the two
  "Model details",
  "Intended use",
  "Factors",
  "Metrics",
  "Evaluation data",
  "Training data",
  "Quantitative analyses",
  "Ethical considerations",
  "Caveats and recommendations",
]
INDEX = {"qm_vae": "0.1.0", "step": 1000, "files": {"config.json": "1a" * 32, "generator.npz": "2b" * 32}}
PROVENANCE = {"train": "3c" * 32, "test": "4d" * 32, "networks": {"service": "5e" * 32, "judges.small_cnn": "6f" * 32}}
NETWORK = {"architecture": "mini_xception", "source": "a | b <i>\n", "licence": "MIT", "sha256": "5e" * 32}


def config_of(**changes):
  return schema.plain(schema.Config(alpha=0.7, **changes))


def made(report, **changes):
  """The card of an export with the service in it; `changes` are of the config, index or networks."""
  given = {"config": config_of(), "index": INDEX, "provenance": PROVENANCE, "networks": {"service": NETWORK}} | changes
  return model_card.card("faces.zip", report=report, **given)


def test_model_card_headings_of_the_published_form():
  """The headings of Mitchell et al. come in their order; digests follow."""
  assert re.findall("^## (.+)$", made(fabricated_run.report()), re.M) == [*HEADINGS, "Digests"]


def test_model_card_numbers_are_the_reports():
  """Every rate of the network, by expression and by attacker, has the report's value, interval and n."""
  report = fabricated_run.report()
  card, ours = made(report), next(one for one in report["methods"] if one["name"] == "qm_vae")
  private = next(one for one in report["privacy"]["methods"] if one["name"] == "qm_vae")
  rates = [ours["loss_rate"], ours["pipeline_loss_rate"], ours["judges"][0]["service_answer"]]
  rates += [
    private["headline"]["rank_1"],
    *(one["loss_rate"] for one in ours["per_expression"] if one["loss_rate"]["n"]),
  ]
  rates += [attack["crowds"][-1]["rank_1"] for attack in private["attacks"]]
  for rate in rates:
    words = f"{100 * rate['value']:.1f} % (95 % CI {100 * rate['low']:.1f}-{100 * rate['high']:.1f}, n = {rate['n']})"
    assert words in card
  assert "13.8 % (95 % CI 9.7-19.2, n = 200)" in card  # Wilson's interval of 0.1375
  assert "| disgust | not measured |" in card  # nobody was read so
  assert "800 faces of 160 people" in card and "200 faces of 40 people" in card
  assert "exponential on 1 code of 64" in card and "0.116 among 120" in card
  assert "Attackers that were not tried: codes." in card


@pytest.mark.parametrize(
  ("change", "words"),
  [
    ({"privacy": None}, "nobody measured who is still recognised"),
    ({"privacy": {"methods": [], "controls": {"void": ["identity"]}}}, "the measurement of privacy is void"),
    ({"privacy": {"methods": [], "controls": {"void": []}}}, "no attacker could be tried"),
  ],
)
def test_model_card_names_whom_it_should_not_hide(change, words):
  """Where privacy was not measured, or the measurement is void, the card says so first."""
  assert words in model_card.recognised(fabricated_run.report() | change)


def test_model_card_tells_recognition_from_guessing():
  """An interval above chance is a warning; one that holds chance says that nothing was found, and by whom."""
  report = fabricated_run.report()
  head = next(one for one in report["privacy"]["methods"] if one["name"] == "qm_vae")["headline"]
  assert "**the strongest attacker tried recognised" in model_card.recognised(report)
  head["rank_1"] = fabricated_run.rate(1 / head["people"], head["people"])
  assert "cannot be told from guessing (0.8 %)" in model_card.recognised(report)
  assert head["people"] == fabricated_privacy.GALLERY_SIZES[-1]


def test_model_card_void_run_and_no_run():
  """A failed control is said above the numbers; without a report there are none, and the reason stands there."""
  report = fabricated_run.report()
  report["controls"]["void"] = True
  assert "**Void: a control failed.**" in made(report)
  card = made(None, why_not="The run has no report.")
  assert "**Not measured.** The run has no report." in card and " CI " not in card


def test_model_card_config_networks_digests():
  """Changed keys alone are listed; networks come with source, licence and digest, and cannot break the tables."""
  card = made(fabricated_run.report(), config=config_of(views=("aligned_mean", "mosaic")))
  assert "| `alpha` | `0.7` |" in card and "`beta`" not in card
  assert '| `views` | `["aligned_mean", "mosaic"]` |' in card
  assert f"| `service` | mini_xception | a / b (i)\\n | MIT | `{'5e' * 32}` |" in card
  assert f"| `judges.small_cnn` | `{'6f' * 32}` |" in card and f"`{'3c' * 32}`" in card
  assert "holds no picture of its training data" in card
  with_faces = INDEX | {"files": INDEX["files"] | {"gallery.npz": "7a" * 32}}
  assert "**The file holds faces of its training data**" in made(None, index=with_faces)


@pytest.mark.parametrize("name", DATASETS.names())
def test_model_card_states_terms_of_every_dataset(name):
  """Each dataset declares where its pictures come from and on what terms; the card repeats it."""
  config = config_of()
  config["data"]["name"] = name
  terms = trait(DATASETS[name], "terms")
  assert terms and made(None, config=config).count(terms) == 2


def test_model_card_percent_forms():
  """One form for every rate; what is missing is not measured, never 0."""
  rate = {"value": 0.07, "low": 0.051, "high": 0.096, "n": 500}
  assert card_tables.percent(rate) == "7.0 % (95 % CI 5.1-9.6, n = 500)"
  assert card_tables.percent({"value": 0.0, "n": 3}) == "0.0 % (n = 3)"
  for nothing in (None, {}, {"value": None, "n": 0}, {"value": float("nan")}):
    assert card_tables.percent(nothing) == "not measured"


@pytest.mark.slow
def test_export_writes_the_card_beside_and_within(tmp_path, capsys):
  """OUT.md is the README.md of the archive and the archive's own digest; no path of this machine is in either."""
  (tmp_path / "run").mkdir()
  untrained_run.write(tmp_path / "run")
  target = tmp_path / "faces.zip"
  assert export.main([str(tmp_path / "run"), str(target)]) == 0
  assert f"Model card: {target}.md" in capsys.readouterr().out
  with zipfile.ZipFile(target) as archive:
    within, config = archive.read("README.md").decode(), archive.read("config.json").decode()
  beside = (tmp_path / "faces.zip.md").read_text()
  digest = hashlib.sha256(target.read_bytes()).hexdigest()
  assert beside == f"{within}\nSHA-256 of the file itself: `{digest}`\n"
  assert f"training step {untrained_run.STEP}" in within and "The run has no report." in within
  assert str(tmp_path) not in beside + config
  target.unlink()
  assert export.main([str(tmp_path / "run"), str(target)]) == 1 and not target.exists()
  assert "faces.zip.md exists" in capsys.readouterr().err
