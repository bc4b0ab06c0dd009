"""Privacy in a run's page: the numbers are the section's, the controls stand first, and what is missing is said."""

import doctest
import json

import fabricated_privacy
import fabricated_run
import numpy as np
import page_reader
import pytest

from qm_vae.report import attacks, drawing, page, tables, tables_privacy
from qm_vae.report.figures import frontier, tradeoff
from qm_vae.report.figures import privacy as figures_privacy

PEOPLE = fabricated_privacy.GALLERY_SIZES[-1]


def rendered(report):
  """Reader of a page without plotted figures."""
  return page_reader.Reader(page.render(report, {}, {}))


def test_privacy_page_doctests():
  """Doctests."""
  result = doctest.testmod(attacks)
  assert result.attempted and not result.failed


def sentence(**changes):
  head = {"attacker": "parrot", "embedder": "mobilefacenet", "people": 500, "chance": 0.002}
  head["rank_1"] = {"value": 0.31, "low": 0.274, "high": 0.348, "n": 500} | changes
  clear = [{"embedder": e, "crowds": [{"n_people": 500, "rank_1": {"value": v}}]} for e, v in (("a", 0.7), ("b", 0.85))]
  return attacks.headline({"clear": clear}, {"headline": head})


def test_privacy_page_headline_plain_words():
  """Headline in plain words."""
  assert sentence() == (
    "The strongest attacker, parrot with mobilefacenet, re-identifies 31 % (95 % CI 27-35) of 500 people. Chance is "
    "0.2 %; on clear pictures a recogniser reaches 85 %."
  )
  assert "31 % (95 % CI 27-35) of 812 protected pictures of 500 people. Chance" in sentence(n=812)
  assert "re-identifies 31 % of 500 people" in sentence(low=None)
  for nothing in ({"headline": None}, {}):
    assert attacks.headline({}, nothing).startswith("No attacker could be tried")


def test_privacy_page_headline_row_attack_headline_no():
  """Headline row is the attack of the headline and no other."""
  privacy = fabricated_privacy.privacy()
  for method in privacy["methods"]:
    rows = tables_privacy.attack_rows(privacy, method, PEOPLE)
    ours = [row["attack"] for row in rows if row["ours"]]
    assert [(one["attacker"], one["embedder"]) for one in ours] == [
      (method["headline"]["attacker"], method["headline"]["embedder"])
    ]
    assert attacks.strongest(method["attacks"], PEOPLE)[1] == method["headline"]["rank_1"]
    assert not any(
      row["ours"] for row in tables_privacy.attack_rows(privacy, method, fabricated_privacy.GALLERY_SIZES[0])
    )


def test_privacy_page_attacks_one_name_told_apart():
  """Attacks of one name are told apart by their gallery."""
  message = [{"attacker": "parrot", "embedder": "a", "gallery": side} for side in ("clear", "protected")]
  message.append({"attacker": "parrot", "embedder": None, "gallery": "clear"})
  assert attacks.attack_names(message) == [
    "parrot with a, clear gallery", "parrot with a, protected gallery", "parrot",
  ]  # fmt: skip


def test_privacy_page_weak_attack_named():
  """A weak attack is named."""
  good = fabricated_privacy.privacy()["methods"][-1]["attacks"][3]
  assert attacks.doubts(good) == []
  weak = good | {"loss_fell": False, "on_clear": {"value": 0.01, "low": 0.0, "high": 0.05, "n": PEOPLE}}
  weak["shuffled"] = good["shuffled"] | {"ok": False}
  assert len(attacks.doubts(weak)) == 3


def test_privacy_page_figures_draw_numbers():
  """Figures draw the numbers."""
  report = fabricated_run.report()
  privacy = report["privacy"]
  ours = tables.method(privacy, "qm_vae")
  figures = figures_privacy.of_method(privacy, ours)
  message = [attack["crowds"][-1] for attack in ours["attacks"]]
  rows = {
    line.get_ydata()[0]: line.get_xdata()[0] for line in figures["rank_1"].axes[0].lines if line.get_marker() == "o"
  }
  assert list(rows.values()) == [one["rank_1"]["value"] for one in message]
  lines = {line.get_label(): line.get_xydata() for line in figures["cmc"].axes[0].lines}
  np.testing.assert_array_equal(lines["parrot with mobilefacenet"][:, 1], message[3]["cmc"])
  np.testing.assert_allclose(lines["chance"][:, 1], lines["chance"][:, 0] / PEOPLE, rtol=1e-15)
  assert {"clear, mobilefacenet", "clear, facenet"} <= set(lines)


def test_privacy_page_roc_straight_between_corners_takes():
  """Roc is straight between corners and takes the top of a step."""
  message = {"roc": {"far": [0.0, 0.0, 0.01, 0.01, 1.0], "tar": [0.0, 0.2, 0.4, 0.6, 1.0]}}
  accepted = figures_privacy._accepted(message, np.array([0.0, 0.005, 0.01, 0.505, 1.0]))
  np.testing.assert_allclose(accepted, [0.2, 0.3, 0.6, 0.8, 1.0], rtol=1e-14)  # a few roundings


def test_privacy_page_utility_point_per_method_line():
  """Privacy utility has a point per method and a line for the union."""
  report = fabricated_run.report()
  axes = tradeoff.privacy_utility(report).axes[0]
  points = {
    tuple(line.get_xydata()[0]) for line in axes.lines if line.get_marker() in "o^sv" and len(line.get_xdata()) == 1
  }
  expected = {
    (tables.method(report, one["name"])["loss_rate"]["value"], one["headline"]["rank_1"]["value"])
    for one in report["privacy"]["methods"]
    if one["name"] != "union"
  }
  assert points == expected
  levels = {line.get_label(): line.get_ydata()[0] for line in axes.lines if len(line.get_xdata()) == 2}
  union = tables.method(report["privacy"], "union")
  assert levels["union of the views (no loss rate)"] == union["headline"]["rank_1"]["value"]
  assert levels["chance"] == 1 / PEOPLE
  assert levels["clear pictures"] == max(one["crowds"][-1]["rank_1"]["value"] for one in report["privacy"]["clear"])
  assert tradeoff.privacy_utility({}) is None


def test_privacy_page_frontier_each_method_once_every():
  """The frontier has each method once and every run of ours."""
  reports = [("a", fabricated_run.report()), ("b", fabricated_run.report(seed=1))]
  found = {point["label"]: point for point in frontier.points(reports)}
  assert set(found) == {"mosaic", "Laplace", "QM-VAE a", "QM-VAE b"}  # no control; the union was judged by nobody
  report = reports[0][1]
  ours = tables.judged(tables.method(report, "qm_vae"), report["gap"]["judge"])["service_answer"]
  assert found["QM-VAE a"]["loss"] == ours
  assert found["mosaic"]["rank_1"] == tables.method(report["privacy"], "mosaic")["headline"]["rank_1"]
  axes = frontier.frontier(reports).axes[0]
  drawn = {tuple(line.get_xydata()[0]) for line in axes.lines if line.get_marker() == "*"}
  assert drawn == {(found[name]["loss"]["value"], found[name]["rank_1"]["value"]) for name in ("QM-VAE a", "QM-VAE b")}
  legend = [text.get_text() for text in axes.figure.legends[0].get_texts()]
  assert sorted(legend) == ["Laplace", "QM-VAE a", "QM-VAE b", "chance", "clear pictures", "mosaic"]
  report["controls"]["void"] = True
  assert {point["label"] for point in frontier.points(reports)} == {"mosaic", "Laplace", "QM-VAE b"}
  assert frontier.frontier([("", {})]) is None


def test_privacy_page_section_starts_controls_shows_every():
  """Section starts with the controls and shows every method."""
  report = fabricated_run.report()
  reader = rendered(report)
  text = reader.text[reader.text.index("Privacy: re-identification QM-VAE.") :]
  marks = ["The strongest attacker, parrot", "Control Verdict", "Method Rank 1 among 40 people", "All attacks, method"]
  assert sorted(marks, key=text.index) == marks
  ours = tables.method(report["privacy"], "qm_vae")
  rate = ours["headline"]["rank_1"]
  cells = " , ".join(tables.number(rate[key]) for key in ("low", "high"))
  assert f"{tables.number(rate['value'])} [ {cells} ] n = {PEOPLE} parrot with mobilefacenet" in text
  for method in report["privacy"]["methods"]:
    assert f"{drawing.title(method['name'])}: 6 attacks, 1 left out" in text
  assert "codes : only for methods that make codes" in text
  assert "SHA-256 " + "3f" * 32 in text and "cannot be trained further" in text
  assert text.count("∞ identical") == 1  # of the control identity; the union is no picture
  assert text.count("36 of 36 attacks at chance") == 1 and "12 of 12 fell" in text


def test_privacy_page_void_privacy_says_leaves_rest():
  """Void privacy says so and leaves the rest valid."""
  report = fabricated_run.report()
  assert "VOID" not in rendered(report).text
  report["privacy"]["controls"]["void"] = ["identity reached 0.61 of the clear score"]
  report["privacy"]["controls"]["identity"]["ok"] = False
  reader = rendered(report)
  assert "VOID The controls of the privacy measurement failed." in reader.text
  assert "identity reached 0.61" in reader.text and "✗ failed" in reader.text
  assert "Privacy: void , its controls failed" in reader.text and "Verdict: valid" in reader.text


def test_privacy_page_weak_attackers_warned_without_voiding():
  """Weak attackers are warned of without voiding."""
  report = fabricated_run.report()
  assert "Weak attackers" not in rendered(report).text
  report["privacy"]["controls"]["warnings"] = ["parrot with <b> on mosaic: its loss did not fall"]
  text = rendered(report).text
  assert "Weak attackers prove nothing about the protection: parrot with <b> on mosaic" in text and "VOID" not in text


def test_privacy_page_pictures_left_unprotected_listed_not():
  """Pictures left unprotected are listed but not the control s."""
  report = fabricated_run.report()
  assert "almost unchanged" not in rendered(report).text
  tables.method(report["privacy"], "mosaic")["unprotected"] = [{"name": "x <b>.png", "psnr": 44.25}]
  text = rendered(report).text
  assert "mosaic left 1 picture almost unchanged (PSNR of 40 dB or more): x <b>.png : 44.2 dB" in text


@pytest.mark.parametrize("why", [None, "config.privacy.embedder is empty"])
def test_privacy_page_unmeasured_privacy_said(why):
  """Unmeasured privacy is said."""
  report = fabricated_run.report() | {"privacy": None, "not_measured": {"privacy": why}}
  text = rendered(report).text
  assert f"Privacy was not measured in this run{': ' + why if why else ''}." in text and "config.privacy.*" in text
  assert "Privacy: not measured in this run" in text


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
def test_privacy_page_hostile_names(tmp_path):
  """Hostile names."""
  evil = "$\\x$</title><script>x</script>" + fabricated_privacy.EVIL
  privacy = fabricated_privacy.privacy(("identity", "blank", "qm_vae"))
  privacy["embedders"][0]["name"] = privacy["embedders"][0]["source"] = evil
  privacy["clear"][0]["embedder"] = evil
  privacy["controls"]["void"] = [evil]
  privacy["methods"].append(privacy["methods"][2] | {"name": evil, "kind": evil, "left_out": []})
  for attack in privacy["methods"][2]["attacks"][:3]:
    attack |= {"attacker": evil, "embedder": evil, "measures": {evil: 0.5}}
  for attack in privacy["methods"][2]["left_out"]:
    attack |= {"attacker": evil, "reason": evil}
  fabricated_run.write(tmp_path, {"version": 1, "privacy": privacy}, {})
  reader = page_reader.Reader(page.write(tmp_path).read_text(encoding="utf-8"))
  assert "script" not in reader.tags and "</title><script>x</script>" in reader.text
  assert {path.name for path in (tmp_path / "figures").iterdir()} >= {"privacy_cmc.png", "privacy_utility.png"}


def test_privacy_page_numbers_not_known_dashes():
  """Numbers that are not known are dashes."""
  privacy = fabricated_privacy.privacy(("identity", "blank", "qm_vae"))
  text = json.dumps(privacy)
  for attack in privacy["methods"][2]["attacks"]:
    for message in attack["crowds"]:
      message["rank_1"] |= {"value": None, "low": None, "high": None}
      message["d_prime"] = {"value": None, "low": None, "high": None}
    attack |= {"on_clear": None, "losses": [], "loss_fell": None}
  privacy["methods"][2] |= {"headline": None}
  assert text != json.dumps(privacy)
  reader = rendered({"version": 1, "privacy": privacy})
  assert "No attacker could be tried" in reader.text and not any(value != value for value in reader.values)
  assert drawing.png(figures_privacy.of_method(privacy, privacy["methods"][2])["rank_1"])


@pytest.mark.parametrize(
  ("test", "words"),
  [
    ({"p": 0.2, "first_only": 9, "second_only": 4}, "no difference found"),
    ({"p": 0.004, "first_only": 14, "second_only": 2}, "the face adds information"),
    ({"p": 0.004, "first_only": 2, "second_only": 14}, "the face misleads"),
    ({}, "–"),
  ],
)
def test_privacy_page_says_in_words_what_the_face_adds(test, words):
  """A difference needs p below 0.05, and its direction is said."""
  report = fabricated_run.report()
  tables.method(report["privacy"], "qm_vae")["surroundings"]["test"] = test
  text = rendered(report).text
  assert words in text[text.index("Does the face add") : text.index("Same session against")]


def test_privacy_page_says_why_sessions_are_not_compared():
  """Without known sessions the page gives the reason; faces that nobody found are counted in words."""
  report = fabricated_run.report()
  assert "Rank 1 of the strongest attack that trains no network, among 40 people" in rendered(report).text
  report["privacy"]["without_sessions"] = "no session of any picture is known"
  for method in report["privacy"]["methods"]:
    method.pop("sessions", None)
  text = rendered(report).text
  assert (
    "not measured: no session of any picture is known" in text and "If each of them counts as re-identified" in text
  )
