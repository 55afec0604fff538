"""Results of experiments, computed from the API's JSON and the flow's events, for a terminal, a page, a file and a notebook alike.

Pure: no requests, no terminal, no Prefect.
"""
