import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
import wandb
from expected import expect
from flax.training import train_state

run = wandb.init(project="flax", name="mlp", config={"learning_rate": 0.1, "seed": 0})
model = nn.Dense(1)
key = jax.random.key(run.config.seed)
inputs = jax.random.normal(key, (16, 4))
state = train_state.TrainState.create(
    apply_fn=model.apply, params=model.init(key, inputs), tx=optax.sgd(run.config.learning_rate)
)


@jax.jit
def train_step(state):
    loss, gradients = jax.value_and_grad(
        lambda params: jnp.mean(state.apply_fn(params, inputs) ** 2)
    )(state.params)
    return state.apply_gradients(grads=gradients), loss


losses = []
for step in range(5):
    state, loss = train_step(state)
    kernel = wandb.Histogram(state.params["params"]["kernel"])
    wandb.log({"loss": loss, "kernel": kernel}, step=step)
    losses.append((step, float(loss)))
run.finish()
expect({"loss": losses}, run="mlp", config={"learning_rate": 0.1, "seed": 0})
