"""The page's table of what stays of a face, and the one sentence that a reader should take away."""

from qm_vae.report import tables

YARDSTICK = "aligned_mean"

COLUMNS = (
  ("found_again", "Found again", "share"),
  ("detector_score", "Its score", "0 to 1"),
  ("cascade", "By the cascade", "share"),
  ("seam", "Seam", "1: invisible"),
  ("landmarks", "Landmarks", "eye distances"),
  ("landmarks_mouth", "Mouth", "eye distances"),
  ("expression", "Expression geometry", "eye distances"),
  ("yaw", "Yaw", "degrees"),
  ("pitch", "Pitch", "degrees"),
  ("roll", "Roll", "degrees"),
  ("eye_opening", "Eye opening", "height/width"),
  ("mouth_opening", "Mouth opening", "height/width"),
  ("light", "Light", "degrees"),
  ("skin", "Skin colour", "CIEDE2000"),
  ("detail", "Detail", "share"),
  ("frechet", "Frechet distance", "halves"),
  ("kernel", "Kernel distance", "halves"),
)
"""(key, title, unit) of every column."""

_COMPARED = (
  ("landmarks", "the landmarks"),
  ("yaw", "the head's yaw"),
  ("frechet", "realism"),
  ("seam", "the seam of the paste"),
)
"""Measures of which less is better."""


def rows(report):
  """[{"name", "kind", "measures": one per column}] of the methods, then of the floor; [] where nothing was measured."""
  methods = [one for one in report.get("methods") or () if one.get("face") or one.get("seam")]
  floors = report.get("instrument_floors") or {}
  found = [_row(one["name"], one.get("kind") or "", _measures(one)) for one in methods]
  found += [_row(name, "floor", face) for name, face in (floors.get("face") or {}).items()]
  if found and floors.get("realism"):
    found.append(_row("two halves of the originals", "floor", floors["realism"]))
  return found


def _measures(method):
  """{key of COLUMNS: rate or mean} of one row of a report."""
  own = {key: method.get(key) for key in ("found_again", "detector_score", "seam")}
  own["cascade"] = tables.complement(method.get("pipeline_no_face"))
  return (method.get("face") or {}) | (method.get("realism") or {}) | own


def _row(name, kind, measures):
  return {"name": name, "kind": kind, "measures": [measures.get(key) or {} for key, _, _ in COLUMNS]}


def table(report):
  """(columns, rows) of the page's table: `rows`, and of COLUMNS those that any row has."""
  kept = rows(report)
  used = [i for i in range(len(COLUMNS)) if any(row["measures"][i] for row in kept)]
  return [COLUMNS[i] for i in used], [row | {"measures": [row["measures"][i] for i in used]} for row in kept]


def memorized(report):
  """[(method, row of its `memorization`)], one per recogniser; [] where it was not measured."""
  return [(one, row) for one in report.get("methods") or () for row in one.get("memorization") or ()]


def conclusion(methods, privacy, name, title):
  """One sentence on what a method does better and worse than the aligned mean; '' where the two were not compared.

  Args:
    methods: rows of a report on what stays of a face.
    privacy: section `privacy`, {} without.
    name: of the method.
    title: what the sentence calls it, with the verb.
  """
  both = [tables.method({"methods": methods}, one) for one in (name, YARDSTICK)]
  if not all(both):
    return ""
  pairs = [("the service's answer", *(one.get("loss_rate") for one in both))]
  pairs += [(text, *(_measure(one, key) for one in both)) for key, text in _COMPARED]
  pairs.append(("privacy", *(_rank_1(privacy, one) for one in (name, YARDSTICK))))
  verdicts = {"better": [], "worse": [], "level": []}
  for text, first, second in pairs:
    if _measured(first) and _measured(second):
      verdicts[_compared(first, second)].append(text)
  if not any(verdicts.values()):
    return ""
  parts = [f"{word} in {_listed(verdicts[key])}" for key, word in _WORDS.items() if verdicts[key]]
  return f"Compared with the mean of aligned strangers, {title} {'; '.join(parts)}."


def _measure(method, key):
  return _measures(method).get(key)


def _rank_1(privacy, name):
  return (tables.method(privacy, name).get("headline") or {}).get("rank_1")


_WORDS = {"better": "better", "level": "no different", "worse": "worse"}


def _measured(value):
  return bool(value) and all(value.get(key) is not None for key in ("value", "low", "high"))


def _compared(first, second):
  """Lower is better; intervals that overlap decide nothing."""
  if first["high"] < second["low"]:
    return "better"
  return "worse" if first["low"] > second["high"] else "level"


def _listed(words):
  return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
