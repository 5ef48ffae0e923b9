"""`python -m authlog_tools` is `authlog`."""

import sys

from authlog_tools.main import main

sys.exit(main())
