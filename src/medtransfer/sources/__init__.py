"""Where a set comes from: a folder, the simulated phantom, or Kaggle."""
