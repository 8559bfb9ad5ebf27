#!/usr/bin/env python3
"""The cases of bench_rnn for PyTorch: nn.LSTM and nn.GRU ("torch"), and the same cell composed of
PyTorch's operations in a loop over x.unbind(0) ("torch_composed"). The options are bench_rnn's.

    torch_rnn.py [--case LIST] [--cell LIST] [--pass LIST] [--threads LIST] [--rounds N]
                 [--seconds S] [--quick] [--json]
"""
import argparse
import json
import math
import os
import subprocess
import sys
import time

CASES = {  # T, B, I, H, layers, directions
    "digits": (28, 128, 28, 128, 1, 1),
    "char": (100, 32, 128, 128, 1, 1),
    "imdb": (100, 32, 64, 64, 1, 2),
    "ptb": (35, 20, 650, 650, 2, 1),
    "big": (64, 64, 512, 512, 1, 1),
    "tiny": (50, 1, 32, 32, 1, 1),
    "long": (1000, 8, 64, 64, 1, 1),
}
GATES = {"lstm": 4, "gru": 3}


def flops(case, cell, train):
    """Of the matrix products alone, as rnn_case_flops."""
    T, B, I, H, L, D = CASES[case]
    total = sum(2 * T * B * GATES[cell] * H * D * ((D * H if l else I) + H) for l in range(L))
    return 3 * total if train else total


def composed(module, cell, x):
    """The cell step by step. Layers and directions one after the other, weights of module."""
    import torch

    for layer in range(module.num_layers):
        ys = []
        for suffix in [f"_l{layer}", f"_l{layer}_reverse"][: 2 if module.bidirectional else 1]:
            w_ih, w_hh, b_ih, b_hh = (
                getattr(module, name + suffix)
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            steps = x.unbind(0)
            h = c = x.new_zeros(x.shape[1], module.hidden_size)
            out = []
            for x_t in steps[::-1] if suffix.endswith("reverse") else steps:
                a = torch.nn.functional.linear(x_t, w_ih, b_ih)
                b = torch.nn.functional.linear(h, w_hh, b_hh)
                if cell == "lstm":
                    i, f, g, o = (a + b).chunk(4, 1)
                    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                    h = torch.sigmoid(o) * torch.tanh(c)
                else:
                    a_r, a_z, a_n = a.chunk(3, 1)
                    b_r, b_z, b_n = b.chunk(3, 1)
                    z = torch.sigmoid(a_z + b_z)
                    n = torch.tanh(a_n + torch.sigmoid(a_r + b_r) * b_n)
                    h = (1 - z) * n + z * h
                out.append(h)
            ys.append(torch.stack(out[::-1] if suffix.endswith("reverse") else out))
        x = torch.cat(ys, 2) if len(ys) == 2 else ys[0]
    return x


def step(run, module, x, dy, train):
    """One timed step: milliseconds."""
    import torch

    start = time.perf_counter()
    if train:
        y = run(x)
        torch.autograd.grad(y, [x, *module.parameters()], dy)
    else:
        with torch.no_grad():
            run(x)
    return 1e3 * (time.perf_counter() - start)


def report(case, cell, train, threads, impl, ms, as_json):
    """A line for people, or a record with bench_rnn's keys."""
    name, rate = "train" if train else "infer", flops(case, cell, train) / ms * 1e-6
    if not as_json:
        print(f"{case:8}{cell:6}{name:7}threads {threads}  {impl:16}{ms:10.3f} ms{rate:8.1f} GF/s")
        return
    record = {"case": case, "cell": cell, "pass": name, "impl": impl, "threads": threads}
    record |= {"ms": round(ms, 6), "gflops": round(rate, 3), "peak_mb": None, "ratio_onednn": None}
    print(json.dumps(record))


def measure(case, cell, train, threads, o):
    """Both ways in turn, after they were seen to agree. Best of the rounds."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    T, B, I, H, L, D = CASES[case]
    kind = torch.nn.LSTM if cell == "lstm" else torch.nn.GRU
    module = kind(I, H, L, bidirectional=D == 2)
    x = torch.rand(T, B, I) * 2 - 1
    dy = torch.rand(T, B, D * H) * 0.2 - 0.1
    x.requires_grad_(train)
    ways = {"torch": lambda v: module(v)[0], "torch_composed": lambda v: composed(module, cell, v)}
    with torch.no_grad():
        y, z = (run(x) for run in ways.values())
    if not torch.allclose(y, z, rtol=1e-4, atol=1e-4):
        sys.exit(f"{case} {cell}: nn.{kind.__name__} and the composed cell differ")
    best = {name: math.inf for name in ways}
    for run in ways.values():  # warm
        step(run, module, x, dy, train)
    done, end = 0, time.perf_counter() + o.seconds
    while done < o.rounds if o.rounds else done < 2 or time.perf_counter() < end:
        for name, run in ways.items():
            best[name] = min(best[name], step(run, module, x, dy, train))
        done += 1
    for name, ms in best.items():
        report(case, cell, train, threads, name, ms, o.json)
    sys.stdout.flush()


def words(known):
    """A type for argparse: a list of some of these."""

    def parse(text):
        for word in text.split(","):
            if word not in known:
                raise argparse.ArgumentTypeError(f"got '{word}', want one of {', '.join(known)}")
        return text.split(",")

    return parse


def numbers(text):
    """A type for argparse: a list of numbers of threads."""
    for word in text.split(","):
        if not word.isdigit() or not 1 <= int(word) <= 256:
            raise argparse.ArgumentTypeError(f"got '{word}', want whole numbers from 1 to 256")
    return text.split(",")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--case", "-c", type=words(list(CASES)), default=list(CASES))
    p.add_argument("--cell", type=words(list(GATES)), default=list(GATES))
    p.add_argument("--pass", dest="passes", type=words(["train", "infer"]), default=["train", "infer"])
    p.add_argument("--threads", "-t", type=numbers, default=["1", "2"])
    p.add_argument("--rounds", "-r", type=int, default=0)
    p.add_argument("--seconds", type=float, default=-1)
    p.add_argument("--quick", "-q", action="store_true")
    p.add_argument("--json", "-j", action="store_true")
    p.add_argument("--cpu", action="store_true", help="has no meaning here")
    o = p.parse_args()
    if o.seconds < 0:
        o.seconds = 0.2 if o.quick else 2
    n = o.threads[0]
    if len(o.threads) > 1 or os.environ.get("OMP_NUM_THREADS") != n:
        # Threads are OpenMP's, whose number is read once: a process for each.
        for n in o.threads:
            env = dict(os.environ, OMP_NUM_THREADS=n, OMP_WAIT_POLICY="passive")
            args = [sys.executable, __file__, *sys.argv[1:], f"--threads={n}"]
            if subprocess.run(args, env=env).returncode:
                sys.exit(1)
        return
    for case in o.case:
        for cell in o.cell:
            for name in o.passes:
                measure(case, cell, name == "train", int(n), o)


if __name__ == "__main__":
    main()
