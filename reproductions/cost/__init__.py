"""The table of costs: cycles by layer and phase, and memory by what it holds, for each method on the RP2040."""
