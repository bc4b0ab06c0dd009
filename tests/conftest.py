"""Settings of the whole suite."""

import os

# Most of the suite's time is compilation of programs that run once; without optimisation it takes a fraction.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"

# Fresh memory in large pages: arrays come and go, and page faults take a third of the time of some machines. Read when a
# process starts, so that it holds for the workers and the programs that tests start.
os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
