"""The wheels, each installed into an empty environment. These tests need a package index: `make package` runs them."""
