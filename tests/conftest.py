"""Settings of the whole suite."""

import os

# Most of the suite's time is compilation of programs that run once; without optimisation it takes a fraction.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"
