"""The command line `geekai` (extra `cli`): `models`, `chat`, `serve`, `doctor`. Also `python -m geekai_cli`."""
