"""TensorBoard's event files: every scalar, text, histogram, image and sound of a tree of runs.

The messages in the files are read with TensorBoard's own definitions. The frames around them are
read here: TensorBoard's reader is several times slower, takes a record that was cut off for the end
of the file without saying so, and loads TensorFlow where that is installed.
"""
