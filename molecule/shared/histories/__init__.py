"""Histories: random sequences of operations, faults and changes by hand on real hosts, and an independent checker."""
