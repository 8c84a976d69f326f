"""`python -m transformer_lite` is the command `transformer-lite`."""

from transformer_lite.cli import main

main()
