"""Engines: what does the tasks of a build beside the processes of this machine."""
