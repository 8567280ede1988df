"""The protocol state machine: bytes in, bytes out, no sockets and no clock."""
