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
        trackai.log_system({"gpu_util": 0.95, "memory_gb": 8.2})  # at a time, not at a step

trackai.finish()  # all points are in the database now

print(f"{run.name} is the run {run.id}: trackai serve, then {run.url}")
