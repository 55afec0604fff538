"""A stand-in for your model: it reads its parameters, works, and prints its metric. It needs nothing but Python.

With the sigopt client (`pip install sigopt`) it would be:

    import sigopt
    loss = train(sigopt.params.x, sigopt.params.learning_rate, sigopt.params.kind)
    sigopt.log_metric("loss", loss)
"""

import json
import math
import os

# trialflow writes the suggested parameters to this file, and to variables such as TRIALFLOW_PARAM_X. Without it, the defaults let you try the model.
context = os.environ.get("TRIALFLOW_CONTEXT_FILE")
params = {"x": 0.0, "learning_rate": 0.01, "kind": "plain"}
if context:
    with open(context) as file:
        params.update(json.load(file)["assignments"])

loss = (params["x"] - 2) ** 2 + abs(math.log10(params["learning_rate"]) + 2) + (0 if params["kind"] == "fancy" else 1)

print(f"loss={loss:.6f}")
