"""Resume a run, for example after a crash or from a checkpoint."""

import trackai

with trackai.init(project="examples", name="long-running-experiment", resume="allow") as run:
    for _ in range(50):
        run.log({"loss": 0.5})  # without a step: the step after the highest one

# Later, in this script or in another one. With "must", the run must exist.
with trackai.init(project="examples", name="long-running-experiment", resume="must") as run:
    for _ in range(50):
        run.log({"loss": 0.3})

print(f"{run.name} was resumed; run trackai serve, then open {run.url}")
