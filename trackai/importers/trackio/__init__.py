"""The local folder of trackio: a database for each project, with media and artifacts beside them.

What is in its tables is taken from what trackio 0.43 writes. It keeps everything that is logged at
a time in one JSON object.
"""
