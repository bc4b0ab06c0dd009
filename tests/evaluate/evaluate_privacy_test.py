"""What a mechanism promises, and where nothing may be said."""

import pytest

from configs import default
from qm_vae.evaluate import privacy
from qm_vae.experiments import schema

K_SAME = {"mechanism": "k_same", "k": 10}
ONE_EACH = {"attacked": 500, "probes": 500}


def test_privacy_section_k_same_promises_all_together():
  """K same promises for all together and for no smaller crowd."""
  message = privacy.promised(K_SAME, [100, 500], ONE_EACH)
  assert message["rank_1"] == [{"people": 500, "at_most": 0.1}]
  assert privacy.promised(K_SAME, [100], ONE_EACH) is None


def test_privacy_section_nothing_promised_some_people_sought():
  """Nothing is promised where some people are sought more often than others."""
  exponential = {"mechanism": "exponential", "epsilon": 0.1, "answers": 1}
  one_each = privacy.promised(exponential, [100, 500], ONE_EACH)["rank_1"]
  assert [bound["people"] for bound in one_each] == [100, 500]
  assert one_each[0]["at_most"] == pytest.approx(0.011, abs=1e-3)
  for guarantee in (exponential, K_SAME):
    assert privacy.promised(guarantee, [100, 500], ONE_EACH | {"probes": 700}) is None


def test_privacy_section_without_attackers_says_which_key_is_empty(tmp_path):
  """A config without attackers gives a report that says why nothing was measured."""
  config = schema.view(default.get_config())
  config.privacy.attackers = ()
  found = privacy.section(config, tmp_path, None, None, {}, None)
  assert found["privacy"] is None and "config.privacy.attackers is empty" in found["not_measured"]["privacy"]
