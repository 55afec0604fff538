"""The results of an experiment for other tools, and known results from them: tables, Optuna, MLflow.

Unlike the rest of `results` these modules write files and storages. Each imports its neighbour when it is used, and names the extra that has it.
"""
