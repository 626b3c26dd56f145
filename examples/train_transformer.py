"""Trains examples/transformer.bp on sentences of a small grammar, then lets it write.

    python examples/train_transformer.py

Verbs agree with their subject, across a clause in between: "the cats that a dog hears sleep."
The grammar's entropy is known, so the output can say how far from the optimum the net is. Exits
with 1 if it is more than 0.07 bits for each character away.
"""

import math
import string
import sys
import textwrap
import time
from pathlib import Path

import numpy as np

import bpc

MODEL = Path(__file__).with_name("transformer.bp")
LETTERS = string.ascii_lowercase + " ."
STEPS, BATCH, LENGTH, RATE = 900, 16, 64, 4e-3
GOAL = 0.07

ADJECTIVES = "big", "small", "old", "young", "red", "blue", "quick", "calm"
NOUNS = "cat", "dog", "bird", "fox", "horse", "king", "girl", "robot"
SEES = "see", "hear", "like", "know", "help", "find", "call", "need"
SLEEPS = "sleep", "run", "sing", "dance", "work", "wait", "laugh", "swim"


class Writer:
    """Writes sentences of the grammar and adds up the information in them, in bits."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.bits = 0.0

    def choose(self, options):
        """One of the options, all equally likely."""
        self.bits += math.log2(len(options))
        return options[self.rng.integers(len(options))]

    def phrase(self, clause=True):
        """A noun with what belongs to it, and the ending of its verb."""
        ending = self.choose(["s", ""])
        words = [self.choose(["a", "the"]) if ending else "the"]
        words += [self.choose(ADJECTIVES)] if self.choose([True, False]) else []
        words.append(self.choose(NOUNS) + ("" if ending else "s"))
        if clause and self.choose([True, False]):
            other, its = self.phrase(clause=False)
            words += ["that", other, self.choose(SEES) + its]
        return " ".join(words), ending

    def sentence(self):
        """A sentence, with a full stop and a space."""
        subject, ending = self.phrase()
        if self.choose([True, False]):
            return f"{subject} {self.choose(SLEEPS)}{ending}. "
        return f"{subject} {self.choose(SEES)}{ending} {self.phrase()[0]}. "

    def rows(self, count, length):
        """Characters as numbers [count, length + 1]: a space, then sentences, cut at the end."""
        texts = []
        for _ in range(count):
            text = " "
            while len(text) <= length:
                text += self.sentence()
            texts.append([LETTERS.index(c) for c in text[: length + 1]])
        return np.array(texts)


def information(characters=100_000):
    """Bits for each character of the grammar: the least that a text costs on the average."""
    writer, length = Writer(2), 0
    while length < characters:
        length += len(writer.sentence())
    return writer.bits / length


def train(model, steps=STEPS, seed=0):
    """Train and print the progress; the params, and the cost of sentences never seen."""
    writer, held_out = Writer(seed), Writer(1).rows(100, LENGTH)
    params = model.init(seed=seed, dtype=np.float32)
    state = model.adam_init(params)
    cost = model.cost(params, held_out[:, :-1], held_out[:, 1:])
    print(f"before       {cost:.3f} bits for each character")
    for step in range(1, steps + 1):
        rows = writer.rows(BATCH, LENGTH)
        _, grads = model.value_and_grad(params, rows[:, :-1], rows[:, 1:])
        rate = RATE * min(step / 50, 1 - (step - 1) / steps)
        params, state = model.adam_step(params, grads, state, lr=rate, clip=1.0, out=params)
        if step % (steps // 4) == 0:
            cost = model.cost(params, held_out[:, :-1], held_out[:, 1:])
            print(f"step {step:5}   {cost:.3f} bits for each character")
    return params, cost


def write(model, params, length, seed=0):
    """Text that the net writes, each character drawn with the probability that it gives."""
    rng, text = np.random.default_rng(seed), [LETTERS.index(" ")]
    for _ in range(length):
        seen = np.array([text[-LENGTH:]])
        scores = model.forward(params, seen)[0, -1]
        chance = np.exp(scores - scores.max(), dtype=float)
        text.append(rng.choice(len(LETTERS), p=chance / chance.sum()))
    return "".join(LETTERS[number] for number in text).strip()


def main():
    """Compile, train, and let it write."""
    model = bpc.load(MODEL, emit=("adam",))
    start = time.perf_counter()
    params, cost = train(model)
    seconds, least = time.perf_counter() - start, information()
    print(f"{cost:.3f} bits after {seconds:.0f} s; the grammar itself has {least:.3f}")
    print(textwrap.fill(write(model, params, 400), 96))
    return 0 if cost < least + GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
