"""The report of runs and profiles: one HTML file that needs nothing else."""
