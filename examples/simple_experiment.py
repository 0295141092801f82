"""Log a run: a configuration, two metrics at every step, and the load of the machine."""

import trackai

run = trackai.init(
    project="examples",
    name="simple-experiment",
    config={"learning_rate": 0.001, "batch_size": 32, "optimizer": {"name": "adam", "beta": 0.9}},
)

for step in range(100):
    loss = 2.0 / (step + 1)
    trackai.log({"train/loss": loss, "train/accuracy": 1.0 - loss / 3}, step=step)
    if step % 10 == 0:
        trackai.log_system({"gpu_util": 0.95, "memory_gb": 8.2})  # has a time instead of a step

trackai.finish()  # returns when every point is in the database

print(f"{run.name} has the id {run.id}; run trackai serve, then open {run.url}")
