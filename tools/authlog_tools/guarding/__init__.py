"""Protecting an auth.json from programs that don't know authlog, however they are started.

In reading order: `kernel` is what of Linux no module of Python calls; `places` says which files
there are; `holder` lets one guard at a time do it, and tells who that is; `leased` is a file that
nobody can open for writing without our knowing; `replaced` is one that was, and what was seen of
it; `gate` gives each writer a file of its own; `teller` tells what they wrote; `watching` is what
remains where there are no leases; `units` starts a guard with the session.
"""
