"""The swarm that `demo` and `simulate` run."""
