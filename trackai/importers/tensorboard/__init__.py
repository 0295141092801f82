"""Reads TensorBoard's event files: scalars, texts, histograms, images, audio and hyperparameters.

Messages are decoded with TensorBoard's own definitions. Records are read by `records.py`, because
TensorBoard's reader is several times slower, takes a truncated record for the end of the file
without a warning, and loads TensorFlow if it is installed.
"""
