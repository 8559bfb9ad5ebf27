#!/usr/bin/env python3
"""The main job in PyTorch, to compare: same text, split, batches, sizes, initial distributions,
optimizer and steps.

    tests/compare/gru_vs_lstm_torch.py build/data/kjv.txt

prints parameters, seconds and bits per character of the held-out text for each cell, as
examples/gru_vs_lstm does. The random numbers differ, so results agree in distribution, not digit for
digit. Option names and defaults are those of examples/options.c."""
import argparse
import math
import time

import torch
from torch import nn


class CharModel(nn.Module):
    """embedding -> recurrent layer -> linear: PyTorch's modules with their own initial values."""

    def __init__(self, cell, V, E, H, layers):
        super().__init__()
        kind = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.embedding = nn.Embedding(V, E)
        self.recurrent = kind(E, H, num_layers=layers)
        self.output = nn.Linear(H, V)

    def forward(self, x, state):
        y, state = self.recurrent(self.embedding(x), state)
        return self.output(y), state


def count_parameters(cell, V, E, H, layers):
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[cell]
    count = V * E + V * H + V
    for k in range(layers):
        count += gates * H * ((H if k else E) + H + 2)
    return count


def matched_units(cell, V, E, layers, target):
    """The H whose count is nearest to target; the smaller one of two equally near."""
    H = 1
    while count_parameters(cell, V, E, H + 1, layers) <= target:
        H += 1
    below = target - count_parameters(cell, V, E, H, layers)
    above = count_parameters(cell, V, E, H + 1, layers) - target
    return H if below <= above else H + 1


def windows(ids, B, T):
    """Contiguous batches: row b of batch k goes on where row b of batch k-1 ended."""
    L = (len(ids) - 1) // B
    x = ids[: B * L].view(B, L).t().contiguous()
    y = ids[1 : B * L + 1].view(B, L).t().contiguous()
    return [(x[k : k + T], y[k : k + T]) for k in range(0, L - T + 1, T)]


def detach(state):
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


def bits_per_character(model, batches, V):
    total, state = 0.0, None
    with torch.no_grad():
        for x, y in batches:
            z, state = model(x, state)
            total += nn.functional.cross_entropy(z.view(-1, V), y.reshape(-1)).item()
    return total / len(batches) / math.log(2)


def learning_rate(step, o):
    """Up for the first twentieth of the way, then down along a cosine to a tenth."""
    warmup, low = o.steps // 20, o.rate / 10
    if step < warmup:
        return o.rate * (step + 1) / warmup
    return low + (o.rate - low) * (1 + math.cos(math.pi * (step - warmup) / (o.steps - warmup))) / 2


def train(cell, o, V, H, train_batches, valid_batches):
    torch.manual_seed(o.seed)
    model = CharModel(cell, V, o.embed, H, o.layers)
    adam = torch.optim.Adam(model.parameters())
    state, start = None, time.time()
    for step in range(o.steps):
        k = step % len(train_batches)
        if k == 0:
            state = None
        x, y = train_batches[k]
        z, state = model(x, state)
        state = detach(state)
        loss = nn.functional.cross_entropy(z.view(-1, V), y.reshape(-1))
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), o.clip)
        for group in adam.param_groups:
            group["lr"] = learning_rate(step, o)
        adam.step()
    seconds = time.time() - start
    count = sum(p.numel() for p in model.parameters())
    return count, seconds, bits_per_character(model, valid_batches, V)


def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("text")
    p.add_argument("--cells", default="rnn,gru,lstm")
    whole = {
        "hidden": 128,
        "embed": 64,
        "layers": 1,
        "length": 64,
        "batch": 32,
        "steps": 2000,
        "seed": 1,
        "valid": 100000,
        "threads": 1,
    }
    for name, value in whole.items():
        p.add_argument("--" + name, type=int, default=value)
    p.add_argument("--rate", type=float, default=0.008)
    p.add_argument("--clip", type=float, default=1.0)
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    text = open(o.text, encoding="utf-8", newline="").read()
    symbols = {c: i for i, c in enumerate(sorted(set(text)))}
    ids = torch.tensor([symbols[c] for c in text])
    V = len(symbols)
    train_batches = windows(ids[: -o.valid], o.batch, o.length)
    valid_batches = windows(ids[-o.valid :], o.batch, o.length)
    target = count_parameters("lstm", V, o.embed, o.hidden, o.layers)
    print("torch", torch.__version__)
    print("cell, units, parameters, seconds, held-out bits per character")
    for cell in o.cells.split(","):
        H = matched_units(cell, V, o.embed, o.layers, target)
        count, seconds, bits = train(cell, o, V, H, train_batches, valid_batches)
        print("%-5s %6d %9d %8.1f %8.3f" % (cell, H, count, seconds, bits), flush=True)


if __name__ == "__main__":
    main()
