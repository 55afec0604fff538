"""What starts the model beside it, on a laptop or in a pod: gives it its context, relays its metrics, and writes down how it ended.

Standard library only, Python 3.6 and later, and nothing else of trialflow: its files are copied into other people's images.
"""
