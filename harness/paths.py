"""Where the checkout's folders are."""

from pathlib import Path

# Imported through the links in src/priot_hil; resolving leads back to the checkout.
ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
