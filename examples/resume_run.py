"""Go on with a run where it was left, as after a crash or from a checkpoint."""

import trackai

with trackai.init(project="examples", name="long-running-experiment", resume="allow") as run:
    for _ in range(50):
        run.log({"loss": 0.5})  # without a step: the one after the highest so far

# Later, in the same script or in another one. With "must", the run has to be there.
with trackai.init(project="examples", name="long-running-experiment", resume="must") as run:
    for _ in range(50):
        run.log({"loss": 0.3})

print(f"{run.name} went on where it was left: trackai serve, then {run.url}")
