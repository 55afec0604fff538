"""What all tests share: one thread for linear algebra, as the service has it, and nothing of the user's own settings."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
for _name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "SIGOPT_API_URL", "SIGOPT_API_TOKEN", "SIGOPT_PROJECT"):
    os.environ.pop(_name, None)
