"""What comes after training: loading a trained model, drawing and measuring what it generates."""
