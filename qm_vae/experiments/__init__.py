"""From a config to a run: the only reader of config keys."""
