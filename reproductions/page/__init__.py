"""One page with everything: tables, curves, heat maps and where each figure comes from."""
