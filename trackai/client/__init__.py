"""Talking to a TrackAI server: the connection, and sending journals."""
