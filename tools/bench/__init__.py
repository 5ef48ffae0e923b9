"""What a change and a read cost, next to other ways to keep logins: `python -m tools.bench`."""
