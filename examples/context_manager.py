"""Finish a run at the end of a `with` block; an exception ends the run as failed."""

import trackai

with trackai.init(project="examples", name="context-manager", config={"lr": 0.001}) as run:
    for step in range(50):
        run.log({"loss": 0.95**step}, step=step)

try:
    with trackai.init(project="examples", name="diverging", config={"lr": 10.0}) as run:
        for step in range(50):
            loss = 0.5 * 1.5**step
            run.log({"loss": loss}, step=step)
            if loss > 100:
                raise ArithmeticError(f"the loss is {loss:.0f}")
except ArithmeticError as error:
    print(f"{run.name} failed and kept all of its points: {error}")
