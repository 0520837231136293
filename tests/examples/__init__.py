"""The examples, each run against the real local endpoint, and exactly against the scripted one."""
