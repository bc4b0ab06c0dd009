import pytest

from qm_vae import types
from qm_vae.data import labels


@pytest.mark.parametrize(
  "name, expected",
  [
    ("angry", "angry"),
    (" Anger ", "angry"),
    ("Happiness", "happy"),
    ("fearful", "fear"),
    ("SURPRISED", "surprise"),
    ("sadness", "sad"),
    ("disgusted", "disgust"),
    ("neutral", "neutral"),
  ],
)
def test_labels_aliases(name, expected):
  """Aliases."""
  assert types.EXPRESSIONS[labels.expression(name)] == expected


def test_labels_every_alias_names_class():
  """Every alias names a class."""
  assert set(labels.ALIASES.values()) <= set(types.EXPRESSIONS)


@pytest.mark.parametrize("name", ["contempt", "", "3", "smile"])
def test_labels_unknown(name):
  """Unknown."""
  with pytest.raises(ValueError, match=rf"{name!r}; allowed are angry, .*happiness"):
    labels.expression(name)
