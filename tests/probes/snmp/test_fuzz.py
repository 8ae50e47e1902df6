"""Packets that are nearly right, thousands of them: an answer or a refusal, never anything else, and quickly.

The million is benchmarks/snmp_fuzz.py; what it found worth keeping is in ``corpus.txt``, the shortest packet of each
outcome.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

from tests.support.snmp_mutations import Reader, grown, mutate, seeds

CORPUS = Path(__file__).with_name("corpus.txt").read_text(encoding="utf-8").splitlines()


def test_honest_packets_are_read() -> None:
    reader = Reader()
    outcomes = [(reader.answer(packet), reader.told(packet)) for packet in seeds()]
    assert {answer for answer, _ in outcomes} >= {"read", "opened", "not believed"}
    assert {told for _, told in outcomes} >= {"handed unanswered", "handed answered", "malformed unanswered"}


def test_each_packet_of_the_corpus_still_has_its_outcome() -> None:
    reader = Reader()
    for line in CORPUS:
        packet, answer, told = line.split("\t")
        data = bytes.fromhex(packet)
        assert (reader.answer(data), reader.told(data)) == (answer, told), packet
    assert len(CORPUS) > 30


def test_mutated_and_grown_packets_are_read_or_refused_and_quickly() -> None:
    chance, reader, honest = random.Random(4), Reader(), seeds()
    took = []
    for number in range(8_000):
        data = grown(chance) if number % 4 == 0 else mutate(chance, chance.choice(honest))
        began = time.thread_time()
        reader.answer(data)
        reader.told(data)
        took.append(time.thread_time() - began)
    took.sort()
    assert took[int(len(took) * 0.99)] < 0.005
