"""A GeekAI endpoint on this machine, for offline development, demos and tests (extra `local`).

`python -m geekai_local` runs it, `geekai_local.serving.serve` runs it inside a program. It serves chat, whole and
streamed and as background tasks, `/models`, `/embeddings` and `/rerank` (both by a small embedding model) and
`/web_search` (over a folder of documents). A local model answers, or with `--upstream URL` any other server.
"""
