"""What the page's tables say, worked out from the report: rows, notes and gaps as plain values, without any markup."""

from qm_vae.report import drawing, published

CONTROL_TEXT = {
  "identity": "unprotected image: the loss rate must be 0",
  "blank": "constant image: always the same answer, so nearly every other answer must be lost",
}

NOISE_TEXT = {
  "jpeg95": "JPEG, quality 95",
  "shift1": "shift by one pixel",
  "grey1": "one grey level up or down",
}

SPLIT_TEXT = {
  "identity": "by identity",
  "order": "in file order, as in the paper",
  "published": "the dataset's own",
}


def split(data):
  """How training and test faces were divided, and whether anybody is in both parts, as far as the data show.

  Args:
    data: the report's `data`; `identities_known` and `people_on_both_sides` may be missing or null, and then nothing
      is claimed about people.

  >>> split({"split": "order", "identities_known": True, "people_on_both_sides": 3})
  'in file order, as in the paper: 3 people are in both parts'
  """
  kind, known, both = (data.get(key) for key in ("split", "identities_known", "people_on_both_sides"))
  some = any((data.get(side) or {}).get("identities") for side in ("train", "test"))
  if known is False and kind == "identity":
    faces = "every face without a name" if some else "every face"
    people = f"{faces} counts as its own person, since {'not all' if some else 'no'} identities are known"
  elif known is False:
    people = f"people in both parts are unknown, since {'not all' if some else 'no'} identities are known"
  elif both == 0:
    people = "nobody is in both parts"
  elif both is None:
    people = "people in both parts were not counted"
  else:
    people = f"{both} {'person is' if both == 1 else 'people are'} in both parts"
  return f"{SPLIT_TEXT.get(kind, kind or '–')}: {people}"


def method(report, name):
  """The entry of `methods` called `name`, {} where there is none."""
  return next((one for one in report.get("methods") or () if one["name"] == name), {})


def judge_names(report):
  """Names of all judges, those described first, each once."""
  described = [judge["name"] for judge in report.get("judges") or ()]
  asked = [judge["name"] for one in report.get("methods") or () for judge in one.get("judges") or ()]
  return list(dict.fromkeys(described + asked))


def judged(one, name):
  """The entry of judge `name` in a method, {} where that judge was not asked."""
  return next((judge for judge in one.get("judges") or () if judge["name"] == name), {})


def headline(report):
  """The two numbers that belong together: the in-loop loss rate and the independent judge's, with their gap.

  Returns:
    {'in_loop': rate or None, 'judge': name or None, 'independent': rate or None, 'own': rate or None,
    'baseline': share of originals on which judge and service differ, or None, 'gap': dict or None}.
  """
  one = method(report, "qm_vae")
  gap = report.get("gap")
  names = judge_names(report)
  name = (gap or {}).get("judge") or (names[0] if names else None)
  answers = judged(one, name)
  described = next((judge for judge in report.get("judges") or () if judge["name"] == name), {})
  return {
    "in_loop": one.get("loss_rate"),
    "judge": name,
    "independent": answers.get("service_answer"),
    "own": answers.get("own_answer"),
    "baseline": complement(described.get("agreement_on_originals")),
    "gap": gap,
  }


def pipeline_floor(report):
  """What the whole pipeline costs an unprotected face, as a rate; None where it was not measured."""
  floor = method(report, "identity").get("pipeline_loss_rate") or {}
  return floor if floor.get("value") is not None else None


def complement(rate):
  """The rate of the opposite event, interval included; None where the rate was not measured."""
  if not rate or rate.get("value") is None:
    return None
  turned = {"value": "value", "low": "high", "high": "low"}
  return {**rate, **{to: None if rate.get(key) is None else 1 - rate[key] for to, key in turned.items()}}


def methods(report):
  """Rows of Table 2: each method with the paper's value, what differs from it, and its judges in a fixed order."""
  names = judge_names(report)
  rows = []
  for one in report.get("methods") or ():
    paper = published.LOSS_RATES.get(one["name"])
    if paper is None:
      note = "a control, not in the paper" if one.get("kind") == "control" else "not in the paper's Table 2"
    else:
      note = published.METHOD_NOTES.get(one["name"], "only what differs for the whole run, see the headline")
    if one["name"] == "ugatit" and not (one.get("options") or {}).get("checkpoint"):
      note = published.STAND_IN
    rows.append({**one, "paper": paper, "note": note, "asked": [judged(one, name) for name in names]})
  return rows


def expressions(report):
  """Table 3 as (method names, [(expression, n or None, [rate per method])]).

  `n` is given where all methods were measured on the same faces, which are those that the service read so.
  """
  measured = [one for one in report.get("methods") or () if one.get("per_expression")]
  tables = [{row["expression"]: row.get("loss_rate") or {} for row in one["per_expression"]} for one in measured]
  names = list(dict.fromkeys(name for table in tables for name in table))
  rows = []
  for name in names:
    rates = [table.get(name, {}) for table in tables]
    counts = {rate.get("n") for rate in rates}
    rows.append((name, counts.pop() if len(counts) == 1 else None, rates))
  return [one["name"] for one in measured], rows


def judged_expressions(report):
  """QM-VAE's Table 3 by the judges: [(expression, [rate of each of `judge_names`])], [] where none was asked so."""
  names = judge_names(report)
  return [
    (row["expression"], [judged(row, name).get("service_answer") for name in names])
    for row in report.get("judged_expressions") or ()
    if row["judges"]
  ]


def asked(report):
  """What is read where each expression is asked of every face: (names of who reads, rows), ([], []) without."""
  rows = (report.get("asked") or {}).get("rows") or []
  return list(rows[0]["read"]) if rows else [], rows


def guarantee(promise):
  """A sentence for the report's `privacy.guarantee`, with its bound in every crowd."""
  forms = f"{promise['tokens']} {'code' if promise['tokens'] == 1 else 'codes'} of {promise['codes']}"
  if "k" in promise:
    what = f"k-same, k = {promise['k']}: at least {promise['k']} people share {forms} and one answer."
  elif "epsilon" in promise:
    what = f"{promise['mechanism'].replace('_', ' ')} on {forms}, epsilon {promise['epsilon']:g} in all"
    what += f", plus one of {promise['answers']} answers, released unchanged." if promise["answers"] > 1 else "."
  else:
    what = f"a face takes one of 2^{promise['bits']:.1f} forms ({forms}, {promise['answers']} answers)."
  bounds = [f"{number(row['at_most'])} among {row['people']}" for row in promise["rank_1"]]
  return f"{what} Rank 1 is at most {', '.join(bounds)}."


def interval_methods(report):
  """Every way in which an interval of this report was computed, each once, in alphabetical order."""
  found = set()

  def walk(node):
    if isinstance(node, dict):
      if "value" in node and isinstance(node.get("method"), str):
        found.add(node["method"])
      for child in node.values():
        walk(child)
    elif isinstance(node, list):
      for child in node:
        walk(child)

  walk(report)
  return sorted(found)


def reason(report, section):
  """Why a section was not measured, '' where the report does not say: `not_measured` maps sections to sentences."""
  return (report.get("not_measured") or {}).get(section) or ""


def number(value, digits=3):
  """A number as text with a fixed count of decimals and a true minus sign; an en dash for null.

  >>> number(0.1384), number(None), number(-0.02, 2)
  ('0.138', '–', '−0.02')
  """
  value = drawing.finite(value)
  if value != value:
    return "–"
  return f"{value:.{digits}f}".replace("-", "−")
