import jax.numpy as jnp
import numpy as np

from qm_vae.metrics import judging

CLASSES = ("sad", "happy", "fear")
TRUTH = np.array([0, 1, 1, 2])


def test_judging_smiles_against_happy():
  """A judge of smiles differs where it sees one and the service did not read happy, or the other way round."""
  smiles = np.float32([[-1], [2], [-3], [4]])
  assert judging.differs(smiles, TRUTH, CLASSES).tolist() == [False, False, True, True]
  assert judging.differs(jnp.asarray(smiles), jnp.asarray(TRUTH), CLASSES).tolist() == [False, False, True, True]
  assert judging.changes(smiles, -smiles).all() and not judging.changes(smiles, 2 * smiles).any()


def test_judging_expressions_by_largest_logit():
  """A judge of expressions is read by its largest logit."""
  logits = np.eye(3, dtype=np.float32)[[0, 1, 0, 2]]
  assert judging.differs(logits, TRUTH, CLASSES).tolist() == [False, False, True, False]
  assert judging.changes(logits, np.eye(3, dtype=np.float32)[[0, 1, 1, 2]]).tolist() == [False, False, True, False]
