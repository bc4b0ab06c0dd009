"""The page's table of what stays of a face, and the one sentence that a reader should take away."""

from qm_vae.report import tables

YARDSTICK = "aligned_mean"

COLUMNS = (
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

_COMPARED = (("landmarks", "the landmarks"), ("yaw", "the head's yaw"), ("frechet", "realism"))


def rows(report):
  """[{"name", "kind", "measures": one per column}] of the methods, then of the floor; [] where nothing was measured."""
  methods = [one for one in report.get("methods") or () if one.get("face")]
  floors = report.get("instrument_floors") or {}
  found = [_row(one["name"], one.get("kind") or "", one["face"], one.get("realism")) for one in methods]
  found += [_row(name, "floor", face, None) for name, face in (floors.get("face") or {}).items()]
  if found and floors.get("realism"):
    found.append(_row("two halves of the originals", "floor", {}, floors["realism"]))
  return found


def _row(name, kind, face, realism):
  measures = dict(face) | dict(realism or {})
  return {"name": name, "kind": kind, "measures": [measures.get(key) or {} for key, _, _ in COLUMNS]}


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
  return f"Against the plain average of aligned strangers {title} {'; '.join(parts)}."


def _measure(method, key):
  return ((method.get("face") or {}) | (method.get("realism") or {})).get(key)


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
