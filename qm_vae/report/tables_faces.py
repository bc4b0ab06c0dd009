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


def conclusion(report):
  """One sentence on what QM-VAE does better and worse than the aligned mean; '' where the two were not compared."""
  ours, mean = tables.method(report, "qm_vae"), tables.method(report, YARDSTICK)
  if not ours or not mean:
    return ""
  pairs = [("the service's answer", ours.get("loss_rate"), mean.get("loss_rate"))]
  for key, title in _COMPARED:
    pairs.append(
      (title, *((one.get("face") or {}).get(key) or (one.get("realism") or {}).get(key) for one in (ours, mean)))
    )
  rank_1 = [
    ((tables.method(report.get("privacy") or {}, name) or {}).get("headline") or {}).get("rank_1")
    for name in ("qm_vae", YARDSTICK)
  ]
  pairs.append(("privacy", *rank_1))
  verdicts = {"better": [], "worse": [], "level": []}
  for title, first, second in pairs:
    if _measured(first) and _measured(second):
      verdicts[_compared(first, second)].append(title)
  if not any(verdicts.values()):
    return ""
  parts = [f"{word} in {_listed(verdicts[key])}" for key, word in _WORDS.items() if verdicts[key]]
  return f"Against the plain average of aligned strangers QM-VAE is {'; '.join(parts)}."


def _measure(method, key):
  return ((method.get("face") or {}) | (method.get("realism") or {})).get(key)


def _rank_1(report, name):
  return (tables.method(report.get("privacy") or {}, name).get("headline") or {}).get("rank_1")


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
