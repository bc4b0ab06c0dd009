"""The audit's page: what must be seen comes first, every number is the file's, no request, no markup from outside."""

import base64
import io

import fabricated_audit
import fabricated_privacy
import page_reader
import pytest
from PIL import Image

from qm_vae.report import __main__ as command
from qm_vae.report import audit_page, files

SECTIONS = ("controls", "attacks", "curves", "pictures", "files", "how", "limits")


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
  """(folder, report, Reader) of a complete audit, drawn once by the command."""
  folder = tmp_path_factory.mktemp("audit")
  report = fabricated_privacy.audit()
  fabricated_audit.write(folder, report, fabricated_audit.arrays())
  assert command.main([str(folder)]) == 0
  return folder, report, page_reader.Reader((folder / "audit.html").read_text(encoding="utf-8"))


def rendered(report, arrays=None):
  """Reader of a page without plotted figures."""
  return page_reader.Reader(audit_page.render(report, arrays or {}, {}))


def test_audit_page_command_draws_audit_nothing_run(audit):
  """Command draws an audit and nothing of a run."""
  assert {path.name for path in audit[0].iterdir()} == {"audit.json", "audit.npz", "audit.html", "figures"}
  assert {path.name for path in (audit[0] / "figures").iterdir()} == {"rank_1.png", "cmc.png", "roc.png"}


def test_audit_page_every_section_linked(audit):
  """Every section is there and linked."""
  ids = {value for _, name, value in audit[2].attributes if name == "id"}
  links = {value for tag, name, value in audit[2].attributes if tag == "a" and name == "href"}
  assert set(SECTIONS) <= ids and links == {f"#{name}" for name in SECTIONS}
  assert "not measured" not in audit[2].text


def test_audit_page_loads_nothing_holds_pictures(audit):
  """Loads nothing and holds its pictures."""
  page_reader.check_loads_nothing(audit[0] / "audit.html")
  sources = [value for tag, name, value in audit[2].attributes if tag == "img" and name == "src"]
  assert len(sources) == 3 + 8 * 3  # three figures; eight cases of original, protected and match
  for source in sources:
    Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1]))).load()


def test_audit_page_every_rate_stands_page_unrounded(audit):
  """Every rate stands on the page unrounded."""
  expected = page_reader.rates(audit[1])
  assert len(expected) > 200
  assert set(expected) <= set(audit[2].values)


def test_audit_page_headline_unprotected_files_verdict_come(audit):
  """Headline unprotected files and verdict come before everything else."""
  text = audit[2].text
  marks = ["The strongest attacker, parrot with mobilefacenet, re-identifies", "2 pictures are not protected.",
           "identical", "people/7/2.png : 41.2 dB", "Verdict: failed, too many people", "above --max-rank1 0.10",
           "Control Verdict",
           "Every attack on the protected pictures, 120 people", "The same among 40 people",
           "codes : only for methods that make codes", "Re-identified with most certainty",
           "Could not be read: 9"]  # fmt: skip
  assert sorted(marks, key=text.index) == marks
  assert "the upper end of rank 1 must be at most 10 % ( --max-rank1 )" in text
  assert "3.10 → 1.02" in text and "ssim mean face 0.330" in text


def test_audit_page_text_outside_escaped(audit):
  """Text from outside is escaped."""
  source = (audit[0] / "audit.html").read_text(encoding="utf-8")
  assert "<script" not in source and "\u202e" not in source and "<b>output" not in source
  escaped = "a &lt;script&gt;alert(1)&lt;/script&gt; &amp; &#34;b&#34; &#39;c&#39; \\udc80\\u202e日本 $\\frac$\\n.jpg"
  assert source.count(escaped) == 2  # unprotected and missed
  assert "a tool's <b>output</b>" in audit[2].text


def test_audit_page_void():
  """Void."""
  report = fabricated_privacy.audit()
  assert "VOID" not in rendered(report).text
  report["privacy"]["controls"] |= {"void": ["shuffled names: parrot beats chance"], "shuffled": {"ok": False}}
  report["verdict"] = {"exit": 2, "lines": ["a control failed"]}
  reader = rendered(report)
  assert reader.text.index("VOID The controls of the privacy") < reader.text.index("The strongest attacker")
  assert ("body", "class", "isvoid") in reader.attributes
  assert "Verdict: void, a control failed" in reader.text and "Exit status 2." in reader.text


def test_audit_page_verdict_says_which_attackers_ran():
  """The verdict names the attackers that ran and what they cannot conclude."""
  report = fabricated_privacy.audit()
  report["verdict"] = {"exit": 0, "lines": []}
  text = rendered(report).text
  assert "Verdict: no objection" in text and "Attackers that ran: naive, linkage, parrot" in text
  assert "parrot, inversion trained a network" in text and "stronger ones may do better" in text
  method = report["privacy"]["methods"][-1]
  for attack in method["attacks"]:
    attack["loss_fell"] = attack["loss_fell"] and False
  assert "(parrot, inversion) learnt too little to count" in rendered(report).text
  method["attacks"] = [attack for attack in method["attacks"] if not attack["losses"]]
  text = rendered(report).text
  assert "None trained a network: a high rate proves a leak, a low rate does not prove protection" in text


def test_audit_page_pictures_are_described_by_their_own_number():
  """The alternative text of a picture counts cases, not columns."""
  report = fabricated_privacy.audit()
  alts = [value for _, key, value in rendered(report, fabricated_audit.arrays()).attributes if key == "alt"]
  assert [alt for alt in alts if alt.startswith("protected, ")] == [f"protected, case {i}" for i in (1, 2, 3, 4)] * 2


def test_audit_page_without_pictures_says_why():
  """Without pictures it says why."""
  report = fabricated_privacy.audit() | {"pictures": False}
  reader = rendered(report)
  assert "img" not in reader.tags and "Left out ( --no-pictures )" in reader.text
  report["pictures"] = True
  assert "there is no audit.npz with pictures" in rendered(report).text


def test_audit_page_some_arrays_enough():
  """Some arrays are enough."""
  arrays = fabricated_audit.arrays()
  printed = audit_page.cases({"best_protected": arrays["best_protected"][:2], "best_rank": arrays["best_rank"]}, "best")
  assert [one["rank"] for one in printed] == [120, 117] and printed[0]["original"] is None and printed[0]["protected"]
  assert audit_page.cases({}, "worst") == []


@pytest.mark.parametrize("empty", ["absent", "null", "no attack"])
def test_audit_page_missing_said(empty, tmp_path):
  """What is missing is said."""
  report = {"version": 1}
  if empty == "null":
    report |= dict.fromkeys(fabricated_privacy.audit(), None) | {"version": 1}
  elif empty == "no attack":
    report = fabricated_privacy.audit()
    report["privacy"]["methods"][2] |= {"attacks": [], "headline": None}
  fabricated_audit.write(tmp_path, report, {})
  text = page_reader.Reader(audit_page.write(tmp_path).read_text(encoding="utf-8")).text
  assert "No attacker could be tried" in text and text.count("not measured") >= 2
  assert ("codes : only for methods that make codes" in text) == (empty == "no attack")
  assert not list((tmp_path / "figures").iterdir())


@pytest.mark.parametrize(
  ("name", "content", "said"),
  [
    ("audit.json", b"{", "is no JSON"),
    ("audit.json", b'{"version": 2}', "version 2, this code reads 1; run the audit again"),
    ("audit.npz", b"PK\x03\x04 cut off", "cannot be read"),
  ],
)
def test_audit_page_unreadable_files_named(name, content, said, tmp_path, capsys):
  """Unreadable files are named."""
  fabricated_audit.write(tmp_path, {"version": 1}, {})
  (tmp_path / name).write_bytes(content)
  with pytest.raises(files.UnreadableReport, match=said):
    audit_page.write(tmp_path)
  assert command.main([str(tmp_path)]) == 2
  assert name in capsys.readouterr().err
