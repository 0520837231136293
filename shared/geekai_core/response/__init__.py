"""What comes back: bytes to answers and errors. Pure."""
