"""What happens, in order: each flow is thin and composes tasks. This room knows no outside system itself."""
