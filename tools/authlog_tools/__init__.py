"""The `authlog` command: one module for each subcommand, each on the public API."""
