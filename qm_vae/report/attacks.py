"""One attack and the strongest of several: looked up in a `privacy` section, and put into words."""

from qm_vae.report import drawing


def share(value):
  """A share as percent in two figures or all its whole ones; a dash for what was not measured.

  >>> share(0.314), share(0.0021), share(0.9962), share(1.0), share(0), share(None)
  ('31 %', '0.21 %', '99.6 %', '100 %', '0 %', '–')
  """
  value = drawing.finite(value)
  if value != value:
    return "–"
  digits = f"{100 * value:.1f}" if value > 0.99 else f"{100 * value:.0f}" if value >= 0.0995 else f"{100 * value:.2g}"
  return f"{digits.removesuffix('.0')} %"


def attack_name(attack):
  """An attack in words.

  >>> attack_name({"attacker": "parrot", "embedder": "mobilefacenet"}), attack_name({"attacker": "codes"})
  ('parrot with mobilefacenet', 'codes')
  """
  return attack["attacker"] + (f" with {attack['embedder']}" if attack.get("embedder") else "")


def attack_names(attacks):
  """One name per attack, with the gallery where nothing else tells two apart."""
  names = [attack_name(attack) for attack in attacks]
  return [
    f"{name}, {attack['gallery']} gallery" if names.count(name) > 1 else name
    for name, attack in zip(names, attacks, strict=True)
  ]


def summary(attack, people):
  """The attack's numbers in the crowd of that many people, {} where it was not tried there."""
  return next((one for one in (attack or {}).get("crowds") or () if one.get("n_people") == people), {})


def largest_crowd(privacy):
  """People in the gallery of the headline; None without any."""
  return ((privacy or {}).get("crowds") or [None])[-1]


def strongest(attacks, people):
  """The attack that names most faces in a crowd, as (attack, rank-1 rate); (None, None) where none was measured."""
  tried = [(attack, summary(attack, people).get("rank_1") or {}) for attack in attacks or ()]
  tried = [(attack, rate) for attack, rate in tried if rate.get("value") is not None]
  return max(tried, key=lambda one: one[1]["value"], default=(None, None))


def is_headline(attack, method):
  """Whether the method's headline is this attack's rate."""
  head = method.get("headline") or {}
  if any(attack.get(key) != head.get(key) for key in ("attacker", "embedder")):
    return False
  return (summary(attack, head.get("people")).get("rank_1") or {}).get("value") == (head.get("rank_1") or {}).get(
    "value"
  )


def headline(privacy, method):
  """What the strongest attack comes to, in one or two plain sentences."""
  head = method.get("headline")
  if not head or (head.get("rank_1") or {}).get("value") is None:
    return "No attacker could be tried, so nothing is known about the protection."
  rate, people = head["rank_1"], head["people"]
  interval = "" if rate.get("low") is None else f" (95 % CI {share(rate['low'])[:-2]}-{share(rate['high'])[:-2]})"
  if rate.get("n") in (None, people):
    found = f"{share(rate['value'])}{interval} of {people} people"
  else:
    found = f"{share(rate['value'])}{interval} of {rate['n']} protected pictures of {people} people"
  clear = strongest(privacy.get("clear"), people)[1]
  level = f"; on clear pictures a recogniser reaches {share(clear['value'])}" if clear else ""
  return (
    f"The strongest attacker, {attack_name(head)}, re-identifies {found}. Chance is {share(head.get('chance'))}{level}."
  )


def doubts(attack):
  """Why an attack's failure may prove nothing, as phrases."""
  clear, shuffled = attack.get("on_clear") or {}, attack.get("shuffled") or {}
  found = []
  if attack.get("loss_fell") is False:
    found.append("its loss did not fall")
  if clear.get("low") is not None and shuffled.get("chance") is not None and clear["low"] <= shuffled["chance"]:
    found.append("no better than chance on clear pictures")
  if shuffled.get("ok") is False:
    found.append("beats chance with shuffled names")
  return found
