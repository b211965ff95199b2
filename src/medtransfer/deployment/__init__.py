"""What is done with a trained variant once the comparison is over: predicting new images, and taking it elsewhere."""
