"""The waiting: one call over httpx, with its retries and limits. The only folder that imports httpx."""
