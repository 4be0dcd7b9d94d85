"""The whole system on this machine: `up`, `demo`, embedded servers."""
