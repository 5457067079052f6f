"""What a fitted model computes, in forms that ONNX and C are written from."""
