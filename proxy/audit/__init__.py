"""The audit trail: what happened to keys and what was refused, who caused it and when; never a value.

record.py, chain.py, head.py and verify.py are pure. trail.py collects what happens and has it written by a
sink, beside the data path. docs/audit.md has the format.
"""
