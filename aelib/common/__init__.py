"""What several rooms above the machine use: the settings of a run, plots, baselines, geometry of the codes."""
