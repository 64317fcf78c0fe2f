"""Comment in, verdict out; held comments to people; decisions back into the model."""
