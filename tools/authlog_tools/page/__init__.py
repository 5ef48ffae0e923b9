"""The audit history as a local web page: what `authlog view` serves."""
