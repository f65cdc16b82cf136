"""``python -m imr`` is the command ``imr``."""

from imr.serve.cli import main

main()
