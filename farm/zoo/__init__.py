"""Small trained models that ship with the farm, and images to send to them.

`digits` and `digits_int8` classify handwritten digits: `image` FP32 [batch, 1, 8, 8], pixels
0 (paper) to 16 (ink), to `probabilities` FP32 [batch, 10] and `label` INT64 [batch].
Both answer 447 of the 450 held-out images correctly (accuracy 0.993); 5-fold cross-validation
of the float32 recipe on the training part gave 0.985, the fairer expectation.
The files are 73 kB (float32) and 25 kB (int8). `train_digits` made them.
"""

from pathlib import Path


def models_dir() -> Path:
    """The shipped model repository, in Triton's layout: `<model>/<version>/model.onnx`.

    Golden vectors lie beside each model in `golden/any/*.npz`.
    """
    return Path(__file__).parent / "models"


def heldout_digits_path() -> Path:
    """The 450 digits no model was trained on, as an .npz file without pickled objects.

    `images` is uint8 [450, 1, 8, 8], pixels 0..16 (convert to float32 before sending);
    `labels` is int64 [450], 0..9.
    """
    return Path(__file__).parent / "heldout_digits.npz"
