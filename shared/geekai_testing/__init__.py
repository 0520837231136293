"""A test kit for apps that use GeekAI: a scripted server, its replies, and the pytest fixture `geekai_server`.

It needs the standard library only. `geekai_testing.scripted` is the server, `geekai_testing.replies` has answers and
faults to play, `geekai_testing.schema_answers` answers whatever schema it is given.
"""
