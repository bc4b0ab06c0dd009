"""What the pages say about re-identification, worked out from a `privacy` section as plain values, without markup."""

from qm_vae.report import attacks, drawing, tables

CONTROLS = {
  "clear": "the best frozen recogniser on clear pictures: better than chance",
  "identity": "the strongest attack without protection: at least 95 % of a frozen recogniser on clear pictures",
  "blank": "one constant picture for everybody: chance lies inside the interval",
  "shuffled": "every attack with shuffled names: chance",
  "learning": "every trained attacker: its loss fell",
}

MEASURES = (
  ("rank_1", "Rank 1"),
  ("rank_5", "Rank 5"),
  ("rank_10", "Rank 10"),
  ("auc", "AUC"),
  ("eer", "EER"),
  ("tar_at_far_1e-2", "TAR at FAR 0.01"),
  ("tar_at_far_1e-3", "TAR at FAR 0.001"),
  ("d_prime", "d′"),
)
"""Columns of a table of attacks: key of `privacy.statistics.summary`, and its title."""


def attack_rows(privacy, method, people):
  """Rows of a table of attacks on one method in one crowd: {'name', 'attack', 'verdicts', 'doubts', 'ours'} each."""
  tried = method.get("attacks") or []
  return [
    {
      "name": name,
      "attack": attack,
      "summary": attacks.summary(attack, people),
      "doubts": attacks.doubts(attack),
      "ours": people == attacks.largest_crowd(privacy) and attacks.is_headline(attack, method),
    }
    for name, attack in zip(attacks.attack_names(tried), tried, strict=True)
  ]


def clear_rows(privacy, people):
  """Rows like those of `attack_rows` for the frozen recognisers on clear pictures, the yardstick."""
  return [
    {"name": one["embedder"], "attack": {}, "summary": attacks.summary(one, people), "doubts": [], "ours": False}
    for one in privacy.get("clear") or ()
  ]


def controls(privacy):
  """Rows of the table of controls: {'name', 'must', 'rate', 'beside': text, 'ok': True, False or None} each."""
  verdicts = privacy.get("controls") or {}
  tried = [attack for method in privacy.get("methods") or () for attack in method.get("attacks") or ()]
  shuffled = [attack["shuffled"] for attack in tried if attack.get("shuffled")]
  learned = [attack["loss_fell"] for attack in tried if attack.get("loss_fell") is not None]
  clear, identity, blank = (verdicts.get(name) or {} for name in ("clear", "identity", "blank"))
  beside = {
    "clear": f"chance {tables.number(clear.get('chance'))}",
    "identity": f"clear pictures {tables.number((identity.get('clear') or {}).get('value'))}, "
    f"so {attacks.share(identity.get('share'))} of it",
    "blank": f"chance {tables.number(blank.get('chance'))}",
    "shuffled": f"{sum(one.get('ok') is not False for one in shuffled)} of {len(shuffled)} attacks at chance",
    "learning": f"{sum(learned)} of {len(learned)} fell" if learned else "no attacker was trained with a loss",
  }
  ok = {
    "clear": clear.get("ok"),
    "identity": identity.get("ok"),
    "blank": blank.get("ok"),
    "shuffled": (verdicts.get("shuffled") or {}).get("ok"),
    "learning": all(learned) if learned else None,
  }
  rates = {"clear": clear.get("rank_1"), "identity": identity.get("rank_1"), "blank": blank.get("rank_1")}
  return [
    {"name": name, "must": must, "rate": rates.get(name), "beside": beside[name], "ok": ok[name]}
    for name, must in CONTROLS.items()
  ]


def methods(privacy, report):
  """Rows of the table of methods: the method with its loss rate, {} without, and per crowd (attack's name, rate)."""
  rows = []
  for method in privacy.get("methods") or ():
    found = [attacks.strongest(method.get("attacks"), people) for people in privacy.get("crowds") or ()]
    rows.append(
      {
        **method,
        "psnr": None if method.get("kind") == "union" else method.get("psnr"),
        "loss_rate": tables.method(report, method["name"]).get("loss_rate") or {},
        "strongest": [(attacks.attack_name(attack) if attack else None, rate) for attack, rate in found],
        "bits": _bits(method, attacks.largest_crowd(privacy)),
      }
    )
  return rows


def _bits(method, people):
  """The bits that the headline's attack shows to leak; {} without one."""
  attack = next((one for one in method.get("attacks") or () if attacks.is_headline(one, method)), None)
  return attacks.summary(attack, people).get("bits") or {}


def shown(privacy, method):
  """What both pages show of one method: its attacks in every crowd, the largest first."""
  crowds = list(reversed(privacy.get("crowds") or ()))
  return {
    "method": method,
    "crowds": [(people, attack_rows(privacy, method, people)) for people in crowds],
  }


def of_run(report):
  """Everything that a run's page says about privacy; {} where it was not measured."""
  privacy = report.get("privacy")
  if not privacy:
    return {}
  ours = tables.method(privacy, "qm_vae")
  return {
    **common(privacy, ours),
    "headline": attacks.headline(privacy, ours) if ours else "QM-VAE was not attacked.",
    "methods": methods(privacy, report),
    "attacks": [shown(privacy, method) for method in privacy.get("methods") or ()],
  }


def reach(method):
  """What the attackers that ran on a method can and cannot conclude, in words; '' where none did."""
  tried = method.get("attacks") or []
  if not tried:
    return ""
  listed = lambda names: ", ".join(dict.fromkeys(names))
  ran = listed(attack["attacker"] for attack in tried)
  learned = [attack for attack in tried if attack.get("losses")]
  sound = [attack for attack in learned if not attacks.doubts(attack)]
  left = listed(one["attacker"] for one in method.get("left_out") or ())
  parts = [f"Attackers that ran: {ran}." + (f" Left out: {left}." if left else "")]
  if sound:
    parts.append(
      f"Of these, {listed(attack['attacker'] for attack in sound)} trained a network on pictures protected in the same "
      "way. A low rate holds for attackers like these; stronger ones may do better."
    )
  else:
    failed = listed(attack["attacker"] for attack in learned)
    none = f"The trained networks ({failed}) learnt too little to count" if failed else "None trained a network"
    parts.append(f"{none}: a high rate proves a leak, a low rate does not prove protection.")
  return " ".join(parts)


ALPHA = 0.05
"""Significance level of the sentence on what the face adds."""


def surroundings(privacy):
  """Rows on what the face adds to its surroundings: the method with its `surroundings`, and `words`."""
  rows = [one for one in privacy.get("methods") or () if one.get("surroundings")]
  return [{**one, "words": _adds(one["surroundings"].get("test") or {})} for one in rows]


def _adds(test):
  p, ahead, behind = (drawing.finite(test.get(key)) for key in ("p", "first_only", "second_only"))
  if p != p:
    return "–"
  if p >= ALPHA:
    return "no difference found"
  return "the face adds information" if ahead > behind else "the face misleads"


def sessions(privacy):
  """Rows on recognition within sessions and across them: the methods that have it."""
  return [one for one in privacy.get("methods") or () if one.get("sessions")]


def common(privacy, method):
  """What the two pages share; `method` is the one that the page is about."""
  people, verdicts = attacks.largest_crowd(privacy), privacy.get("controls") or {}
  return {
    "measured": privacy,
    "people": people,
    "measures": MEASURES,
    "controls": controls(privacy),
    "void": verdicts.get("void") or [],
    "warnings": verdicts.get("warnings") or [],
    "reach": reach(method),
    "surroundings": surroundings(privacy),
    "sessions": sessions(privacy),
    "ours": method,
    "yardstick": [
      (gallery_size, clear_rows(privacy, gallery_size)) for gallery_size in reversed(privacy.get("crowds") or ())
    ],
  }
