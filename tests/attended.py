"""`authlog` where only a parent may read a process's memory: `python attended.py run ...`."""

import sys

from authlog_tools.main import main
from authlog_tools.supervise import start


def so_it_is() -> bool:
    return True


if __name__ == "__main__":
    start.only_parents_read = so_it_is
    sys.exit(main())
