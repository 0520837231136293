"""What goes out: bodies, parts, messages, tools. Pure."""
