"""Real servers and proxies that others wrote, driven by both adapters: `scripts/test --servers`.

`scripts/servers` installs them; what cannot be installed is skipped, with the reason. `python -m tests.servers.table`
prints what each adapter, and the peer of each framework, makes of each server.
"""
