"""What comes after training: loading a trained model, drawing and measuring what it generates."""

import common  # noqa: F401  first of all, for what it does about Ctrl-C
