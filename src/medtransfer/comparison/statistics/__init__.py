"""The methods of the comparison, a file each: resamples, intervals, tests, calibration, operating points."""
