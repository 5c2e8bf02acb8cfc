"""How good a trained model is: metrics on arrays, the classifier that they need, the measures, and their results."""
