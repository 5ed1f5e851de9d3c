"""Where the checkout's folders are."""

from pathlib import Path

# An editable install links the files into the environment one by one; resolving leads back to the checkout.
ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
