"""Whether a judge confirms what a service read; judges that know expressions, and one that only knows smiles."""

SMILING = "Smiling"
"""The attribute of CelebA whose network may judge expressions: it is present where a face is happy."""

_SMILES = "happy"


def differs(logits, truth, classes):
  """Whether a judge reads something else than an expression.

  Args:
    logits: [N, C] of a judge of expressions, or [N, 1] of one of smiles, above 0 where it sees one.
    truth: int [N], expressions.
    classes: names of the C expressions.

  Returns:
    bool [N]; a judge of smiles differs where it sees a smile and the expression is not happy, or the other way round.
  """
  if logits.shape[-1] == 1:
    return (logits[..., 0] > 0) != (truth == _happy(classes))
  return logits.argmax(-1) != truth


def changes(logits, original):
  """Whether a judge reads something else than from the original, bool [N]; both are its logits [N, C] or [N, 1]."""
  if logits.shape[-1] == 1:
    return (logits[..., 0] > 0) != (original[..., 0] > 0)
  return logits.argmax(-1) != original.argmax(-1)


def _happy(classes):
  return tuple(classes).index(_SMILES) if _SMILES in classes else -1
