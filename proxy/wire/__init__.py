"""The wire protocol: framing, and one dataclass for each message. Standard library only."""
