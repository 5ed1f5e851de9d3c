"""Golden integer semantics of PRIOT, PRIOT-S and NITI, in NumPy."""
