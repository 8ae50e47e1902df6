"""``python -m haidang``: the same as the ``haidang`` command."""

from haidang.cli import main

main()
