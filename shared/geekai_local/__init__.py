"""A GeekAI endpoint on this machine, for offline development, demos and tests (extra `local`).

`python -m geekai_local` runs it, `geekai_local.serving.serve` runs it inside a program. Importing this package imports
nothing else, so that `geekai_local.scripted` needs the standard library only.
"""
