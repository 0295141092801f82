from pathlib import Path

import numpy as np
from expected import expect
from PIL import Image
from ultralytics import YOLO, settings

settings.update({"wandb": True})
generator = np.random.default_rng(0)
for part in ("train", "val"):
    Path("data/images", part).mkdir(parents=True)
    Path("data/labels", part).mkdir(parents=True)
    for number in range(4):
        pixels = generator.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"data/images/{part}/{number}.png")
        Path(f"data/labels/{part}/{number}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
Path("data.yaml").write_text(
    f"path: {Path('data').resolve()}\ntrain: images/train\nval: images/val\nnames: {{0: box}}\n"
)
points: dict = {}


def keep(trainer, values):
    for name, value in values.items():
        points.setdefault(name, []).append((trainer.epoch, value))


def on_train_epoch_end(trainer):
    keep(trainer, {**trainer.label_loss_items(trainer.tloss, prefix="train"), **trainer.lr})


model = YOLO("yolov8n.yaml")
model.add_callback("on_train_epoch_end", on_train_epoch_end)
model.add_callback("on_fit_epoch_end", lambda trainer: keep(trainer, trainer.metrics))
model.train(data="data.yaml", epochs=2, imgsz=32, batch=4, device="cpu", workers=0, plots=True,
            project="yolo", name="first", verbose=False)  # fmt: skip
expect(points, project="yolo", config={"epochs": 2, "imgsz": 32}, files=["labels"])
