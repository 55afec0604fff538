"""trialflow's Python API, and the sessions that it shares with the command line. `import trialflow` loads each name when it is first used.

The API works by a process of trialflow's own (`worker.py`): nothing of the user's process, neither its event loop nor its signals, its Prefect or a
module called `tasks`, meets ours.
"""
