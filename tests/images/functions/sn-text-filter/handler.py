"""Social network: finds words in a text that a corpus hardly knows."""

import collections
import os

import sign
from nltk.corpus.reader import PlaintextCorpusReader

CORPUS = os.environ.get("NLTK_DATA", "/usr/share/nltk_data") + "/corpora/brown"


def main(arguments):
    words = arguments.get("text", "the quick brown fox").split()
    known = collections.Counter(PlaintextCorpusReader(CORPUS, r"00.*\.txt").raw().split())
    return {"unusual": [word for word in words if known[word] < 2], "signature": sign.sha256(" ".join(words).encode()).hex()}
