"""How fast the models train on this machine: `python -m benchmark --help`."""
