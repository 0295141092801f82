"""Writes runs as folders of event files: DIR/<project>/<run>.

Messages are made with TensorBoard's own definitions. Checked with TensorBoard 2.21.0.
"""
