"""C1 to C24: what an LLM in LlamaIndex must do over this API, whatever its class; see `subject.py`."""
