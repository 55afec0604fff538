"""What people do with clusters and experiments, in two halves: *plan* says what would be done, as data, and *apply* does it.

The command line, a flow, a deployment and Python call the same functions. This room asks nobody and prints nothing.
"""
