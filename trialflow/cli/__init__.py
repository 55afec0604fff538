"""The `trialflow` command: reads files, triggers a flow, shows progress. It has no logic of its own, and imports nothing heavy before it must."""
