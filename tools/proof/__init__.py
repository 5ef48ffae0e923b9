"""Proofs that the promises hold, and that the tests bite."""
