"""A model in the style of SigOpt's older documentation: it asks for each parameter by name, with a default for runs outside an experiment."""

import math

import sigopt

x = sigopt.get_parameter("x", default=0.0)
y = sigopt.get_parameter("y", default=0.0)

# Branin's function: three valleys of the same depth, 0.397887 at the bottom.
value = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10
sigopt.log_metric("value", value)
