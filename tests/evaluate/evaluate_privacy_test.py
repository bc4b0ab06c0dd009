"""What a mechanism promises, and where nothing may be said."""

import pytest

from qm_vae.evaluate import privacy

K_SAME = {"mechanism": "k_same", "k": 10}
ONE_EACH = {"attacked": 500, "probes": 500}


def test_k_same_promises_for_all_together_and_for_no_smaller_crowd():
  told = privacy.promised(K_SAME, [100, 500], ONE_EACH)
  assert told["rank_1"] == [{"people": 500, "at_most": 0.1}]
  assert privacy.promised(K_SAME, [100], ONE_EACH) is None


def test_nothing_is_promised_where_some_people_are_sought_more_often_than_others():
  exponential = {"mechanism": "exponential", "epsilon": 0.1, "answers": 1}
  one_each = privacy.promised(exponential, [100, 500], ONE_EACH)["rank_1"]
  assert [bound["people"] for bound in one_each] == [100, 500]
  assert one_each[0]["at_most"] == pytest.approx(0.011, abs=1e-3)
  for guarantee in (exponential, K_SAME):
    assert privacy.promised(guarantee, [100, 500], ONE_EACH | {"probes": 700}) is None
