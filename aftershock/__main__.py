"""`python -m aftershock` is the command."""

from aftershock.cli import main

main()
