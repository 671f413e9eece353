"""Texts may come in anything that holds strings in order; everything else is refused in one line."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from jaxtyping import config as jaxtyping_config

import seqgan
from seqgan.data.corpus import corpora_folder, corpus_in_memory, load_corpus
from seqgan.data.texts import a_list_of_texts
from seqgan.data.tokenizer import Tokenizer
from seqgan.errors import CorpusError, SeqGANError
from seqgan.model import TextModel
from seqgan.models.lstm import LSTMPolicy
from tests.conftest import tiny_lines

TEXTS = tiny_lines()


def as_column(texts: list[str]) -> Any:
    import datasets

    return datasets.Dataset.from_dict({"text": texts})["text"]


HOLDERS: dict[str, Callable[[list[str]], Any]] = {
    "list": list,
    "tuple": tuple,
    "iterator": iter,
    "generator": lambda texts: (text for text in texts),
    "map": lambda texts: map(str, texts),
    "values of a dict": lambda texts: dict(enumerate(texts)).values(),
    "keys of a dict": lambda texts: dict.fromkeys(texts).keys(),
    "Series": pd.Series,
    "Series with another index": lambda texts: pd.Series(texts, index=range(7, 7 + len(texts))),
    "Categorical": pd.Categorical,
    "array": np.array,
    "array of objects": lambda texts: np.array(texts, dtype=object),
    "column of a Dataset": as_column,
}


@pytest.fixture(scope="module")
def model() -> TextModel:
    tokenizer = Tokenizer.train(TEXTS, "char")
    return TextModel(LSTMPolicy(len(tokenizer), 30).eval(), tokenizer)


USES: dict[str, Callable[[TextModel, Any], Any]] = {
    "train": lambda model, texts: corpus_in_memory(texts).train,
    "Corpus": lambda model, texts: corpus_in_memory(seqgan.Corpus("mine", texts, TEXTS[:9], TEXTS[:9])).train,
    "evaluate": lambda model, texts: seqgan.evaluate(texts, references=TEXTS),
    "references": lambda model, texts: seqgan.evaluate(TEXTS, references=texts),
    "training": lambda model, texts: seqgan.evaluate(TEXTS, training=texts),
    "log_probs": lambda model, texts: model.log_probs(texts),
    "score": lambda model, texts: model.score(texts),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_whatever_holds_texts_in_order_gives_the_same_list(holder: str) -> None:
    found = a_list_of_texts(HOLDERS[holder](TEXTS))
    assert found == TEXTS
    assert {type(text) for text in found} == {str}


@pytest.mark.parametrize("use", USES)
def test_every_use_of_texts_takes_an_iterable_as_it_takes_a_list(use: str, model: TextModel) -> None:
    texts = TEXTS[:30]
    expected = USES[use](model, texts)
    for holder in ("generator", "Series with another index", "array"):
        assert USES[use](model, HOLDERS[holder](texts)) == expected, holder


REFUSED: dict[str, tuple[Any, str]] = {
    "a string": ("hi anna", "put a single text into a list"),
    "bytes": (b"hi anna", "put a single text into a list"),
    "None": (None, "give an iterable of strings"),
    "a number": (7, "give an iterable of strings"),
    "a table": (pd.DataFrame({"text": TEXTS}), "give one column of the table"),
    "a dict": ({"text": TEXTS}, "give its values"),
    "a set": (set(TEXTS), "a set has no order"),
    "an array of one": (np.array("hi"), "give an iterable of strings"),
    "an array of two dimensions": (np.array([TEXTS, TEXTS]), "number 1 is"),
    "nested lists": ([TEXTS[:2], TEXTS[2:]], "number 1 is \\['hi anna"),
    "a missing value": (pd.Series([*TEXTS, None]), "number 61 is (nan|None)"),
    "not a number": ([*TEXTS, float("nan")], "number 61 is nan"),
    "bytes inside": ([*TEXTS, b"hi"], "number 61 is b'hi'"),
    "a tensor": (torch.zeros(3), "number 1 is tensor"),
    "half a character": ([*TEXTS, "\ud800"], "text 61 holds a zero byte or half a character"),
    "a zero byte": ([*TEXTS, "a\0b"], "text 61 holds a zero byte or half a character"),
    "a huge value": ([*TEXTS, list(range(100_000))], "number 61 is"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("use", USES)
def test_every_use_of_texts_refuses_what_holds_none_in_one_line(
    use: str, case: str, model: TextModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jaxtyping_config, "jaxtyping_disable", True)  # the checks that tests alone make come first
    given, message = REFUSED[case]
    with pytest.raises(SeqGANError) as error:
        USES[use](model, given)
    assert re.search(message, str(error.value))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_a_generator_is_read_once_and_none_of_it_is_lost(model: TextModel) -> None:
    scored = model.score(text for text in TEXTS)
    assert [item.text for item in scored] == TEXTS


def test_a_corpus_has_a_name_or_a_path() -> None:
    assert load_corpus(corpora_folder() / "poems.txt").train == load_corpus("poems").train
    for given in (TEXTS, None, b"poems", 3):
        with pytest.raises(CorpusError, match="the name or path of a corpus was expected, not"):
            load_corpus(given)  # type: ignore[arg-type]
    with pytest.raises(CorpusError, match="the name or path of a corpus was expected, not"):
        load_corpus("poems", valid=TEXTS)  # type: ignore[arg-type]


def test_a_byte_order_mark_in_front_of_a_text_is_no_part_of_it() -> None:
    assert corpus_in_memory(["\ufeff" + text for text in TEXTS]).train == corpus_in_memory(TEXTS).train


@pytest.mark.parametrize("prompt", [None, 3, b"hi", [3]])
def test_a_prompt_is_a_text(prompt: Any, model: TextModel) -> None:
    with pytest.raises(SeqGANError, match=r"prompt is .*, but a text .*was expected"):
        model.generate(1, prompt=prompt)
