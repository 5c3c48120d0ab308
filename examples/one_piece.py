"""Sightline's loader beside one's own loop. Run: python examples/one_piece.py [FOLDER]

The loader takes the place of DataLoader(ImageFolder(...)): the same samples in the same order give the same pixels,
whatever the number of threads. Model, optimizer and loop are plain PyTorch.
"""

import sys

import torch
from torch import nn

import sightline as sl

samples = sl.index(sys.argv[1] if len(sys.argv) > 1 else "digits")
splits = sl.split(samples, val=0.2, seed=0)
train = samples.take(samples.positions(splits.train.ids))
val = samples.take(samples.positions(splits.val.ids))

pre = sl.Preprocessing.from_training_split(samples, splits, size=(8, 8))  # or .from_timm("resnet50.a1_in1k")
moved = sl.augmentation.small((8, 8), padding=1, flip=False)  # digits may shift by a pixel; mirrored they lie
loader = sl.Loader(train, preprocessing=pre, augmentation=moved, batch_size=64)

torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(pre.num_channels, 32, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(len(samples.classes)))
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for epoch in range(8):
    for batch in loader.epoch(epoch):
        loss = nn.functional.cross_entropy(model(batch.images_bchw), batch.labels_b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

right = 0
with torch.no_grad():
    for batch in sl.Loader(val, preprocessing=pre, batch_size=256):
        right += int((model(batch.images_bchw).argmax(1) == batch.labels_b).sum())
print(f"val top-1 {100 * right / len(val):.1f} % n={len(val)}")
