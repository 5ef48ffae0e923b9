"""How `authlog run` gives each writer of the snapshot a file of its own.

In reading order:

numbers.py     which numbers the kernel gives its system calls
bpf.py         the filter: which calls are asked about
kernel.py      what no module of Python calls: the filter, its listener
calls.py       what a call asks for
processes.py   what is to be known of the process that calls
target.py      whether a path is the snapshot
copies.py      the private copies: given, written, closed
told.py        telling what a copy holds, and which states its writer may have read
slots.py       the calls that are not answered yet, in memory that outlives the supervisor
supervisor.py  answers the calls
keeper.py      holds what must outlive the supervisor, and starts another one
start.py       from the process that becomes the command: probe, keeper, filter
"""
