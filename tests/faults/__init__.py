"""Injects faults into a busy imgpress, and checks after each round that nothing was lost or broken.

`make faults` runs it; run.py is the beginning."""
