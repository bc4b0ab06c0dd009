"""Tasks: what differs between training one network and another. The contract is `state.Task`; the loop is loop.py."""
