"""Train a small neural network on scikit-learn's handwritten digits, and log every step.

It needs scikit-learn and psutil: `uv run python examples/train_digits.py` installs them.
"""

import psutil
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.utils import gen_batches, shuffle

import trackai

EPOCHS, BATCH_SIZE = 10, 64
HIDDEN, LEARNING_RATE = 32, 0.005
SEED = 0

images, labels = load_digits(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(
    images / 16.0, labels, test_size=0.25, random_state=SEED
)
model = MLPClassifier(
    hidden_layer_sizes=[HIDDEN],
    learning_rate_init=LEARNING_RATE,
    random_state=SEED,
)

config = {
    "epochs": EPOCHS,
    "batch_size": BATCH_SIZE,
    "hidden": HIDDEN,
    "learning_rate": LEARNING_RATE,
    "seed": SEED,
}
with trackai.init(project="digits", group="mlp", config=config) as run:
    step = 0
    for epoch in range(EPOCHS):
        x, y = shuffle(train_x, train_y, random_state=epoch)
        for batch in gen_batches(len(x), BATCH_SIZE):
            model.partial_fit(x[batch], y[batch], classes=range(10))
            probabilities = model.predict_proba(x[batch])
            run.log(
                {
                    "train/loss": log_loss(y[batch], probabilities, labels=range(10)),
                    "train/accuracy": (probabilities.argmax(axis=1) == y[batch]).mean(),
                },
                step=step,
            )
            step += 1
        accuracy = model.score(test_x, test_y)
        run.log({"test/accuracy": accuracy, "epoch": epoch}, step=step - 1)
        run.log_system(
            {
                "cpu_percent": psutil.cpu_percent(),
                "memory_mb": psutil.Process().memory_info().rss / 1e6,
            }
        )

print(f"{run.name}: {accuracy:.1%} of the test images right after {step} steps; see {run.url}")
