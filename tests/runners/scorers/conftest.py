"""Tokenizers of each kind of reward model, made on the spot: the true pre-tokenisation, markup and chat templates."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

LAB = Path(__file__).resolve().parents[3] / "data" / "lab" / "prm"

LLAMA = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
QWEN = LLAMA.replace(r"\p{N}{1,3}", r"\p{N}")

LLAMA_CHAT = (
    "{{ bos_token }}{% if messages[0].role != 'system' %}<|start_header_id|>system<|end_header_id|>\n\n"
    "Cutting Knowledge Date: December 2023\n\n<|eot_id|>{% endif %}"
    "{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n"
    "{{ message.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
QWEN_CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

CORPUS = [
    "Janet's ducks lay 16 eggs per day. She eats three for breakfast, so she has 16 - 3 = 13 eggs left. ки",
    "Step 1: add 7 + 5 = 12. ки Step 2: take 4 away, 12 - 4 = 8. ки + - + - The answer is: \\boxed{8} ки",
    "What is left, and how many? Let us see what the question asks for, step by step. </s> </s> </s> </s>",
] * 4


def byte_level(pattern, specials, **names):
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **names)


def sentencepiece():
    """Like Mistral's: no pre-tokenisation, a blank before the text, bytes for what is unknown, newlines among it."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    blanks = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    learner = Tokenizer(models.BPE())
    learner.normalizer = blanks
    learner.pre_tokenizer = pre_tokenizers.Split("▁", behavior="merged_with_next")
    learner.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=300, show_progress=False))
    learnt = json.loads(learner.to_str())["model"]
    to_end = [("<", "/"), ("</", "s"), ("</s", ">")]  # as a vocabulary that holds such pieces is converted
    pieces = ["<unk>", "<s>", "</s>", "</", "</s", *(f"<0x{byte:02X}>" for byte in range(256)), *learnt["vocab"]]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    merges = to_end + [tuple(merge) for merge in learnt["merges"] if tuple(merge) not in to_end]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = blanks
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    )


@cache
def tokenizer_of(kind):
    if kind == "lab":
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(LAB)
    if kind == "math-shepherd":
        return sentencepiece()
    if kind in ("rlhflow", "outcome"):
        specials = ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]
        names = {"bos_token": specials[0], "eos_token": specials[1], "pad_token": specials[1]}
        return byte_level(LLAMA, specials, chat_template=LLAMA_CHAT, **names)
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(["<extra_0>"] if kind == "qwen-prm" else [])]
    names = {"bos_token": specials[0], "eos_token": specials[2], "pad_token": specials[0]}
    return byte_level(QWEN, specials, chat_template=QWEN_CHAT, **names)


def by_rlhflow(tokenizer, question, steps):
    """Every prefix as the authors render it, whole; the score stands three tokens before the end."""
    prefixes, turns = [], []
    for i, step in enumerate(steps):
        turns.append({"role": "user", "content": step.strip() if i else f"{question} {step.strip()}"})
        turns.append({"role": "assistant", "content": "+"})
        whole = tokenizer(tokenizer.apply_chat_template(turns, tokenize=False), add_special_tokens=False)["input_ids"]
        prefixes.append(whole[:-2])
    return prefixes


def by_math_shepherd(tokenizer, question, steps):
    whole = tokenizer(f"{question} " + "\n".join(f"{step.strip()} ки" for step in steps))["input_ids"]
    tag = tokenizer("ки")["input_ids"][-1]
    return [whole[: place + 1] for place, token in enumerate(whole) if token == tag]


def by_qwen_prm(tokenizer, question, steps):
    system = "Please reason step by step, and put your final answer within \\boxed{}."
    said = "<extra_0>".join(step.strip("\n") for step in steps) + "<extra_0>"
    turns = [("system", system), ("user", question), ("assistant", said)]
    chat = tokenizer.apply_chat_template([{"role": r, "content": c} for r, c in turns], tokenize=False)
    whole = tokenizer(chat, add_special_tokens=False)["input_ids"]
    separator = tokenizer.convert_tokens_to_ids("<extra_0>")
    return [whole[: place + 1] for place, token in enumerate(whole) if token == separator]


def by_skywork(tokenizer, question, steps):
    read, prefixes = tokenizer.encode(f"{tokenizer.bos_token}{question}\n"), []
    for step in steps:
        read = [*read, *tokenizer.encode(step.strip("\n")), tokenizer.encode("\n")[-1]]
        prefixes.append(read)
    return prefixes


def by_lab(tokenizer, question, steps):
    read = tokenizer(f"Problem: {question}\nSolution:\n")["input_ids"]
    right, newline = tokenizer.convert_tokens_to_ids([" +", "\n"])
    prefixes = []
    for step in steps:
        prefixes.append([*read, *tokenizer(step.strip("\n"), add_special_tokens=False)["input_ids"]])
        read = [*prefixes[-1], right, newline]
    return prefixes


def by_outcome(tokenizer, question, steps):
    chats = []
    for i in range(len(steps)):
        turns = [("user", question), ("assistant", "".join(steps[: i + 1]))]
        chat = tokenizer.apply_chat_template([{"role": r, "content": c} for r, c in turns], tokenize=False)
        chats.append(tokenizer(chat, add_special_tokens=False)["input_ids"])
    return chats


AUTHORS = {
    "lab": by_lab,
    "math-shepherd": by_math_shepherd,
    "outcome": by_outcome,
    "qwen-prm": by_qwen_prm,
    "rlhflow": by_rlhflow,
    "skywork": by_skywork,
}


@pytest.fixture(scope="session")
def tokenizer():
    """Makes the tokenizer of a kind."""
    pytest.importorskip("transformers")
    return tokenizer_of


@pytest.fixture(scope="session")
def kind(tokenizer):
    """Makes a kind with its tokenizer."""
    from isocompute.runners.scorers.formats.lab import LabFormat
    from isocompute.runners.scorers.formats.math_shepherd import MathShepherdFormat
    from isocompute.runners.scorers.formats.outcome import OutcomeFormat
    from isocompute.runners.scorers.formats.qwen_prm import QwenPRMFormat
    from isocompute.runners.scorers.formats.rlhflow import RLHFlowFormat
    from isocompute.runners.scorers.formats.skywork import SkyworkFormat
    from isocompute.runners.scorers.tokenizer import ScorerTokenizer

    kinds = {
        "lab": LabFormat,
        "math-shepherd": MathShepherdFormat,
        "outcome": OutcomeFormat,
        "qwen-prm": QwenPRMFormat,
        "rlhflow": RLHFlowFormat,
        "skywork": SkyworkFormat,
    }
    return cache(lambda name: kinds[name](ScorerTokenizer(tokenizer(name), name)))


@pytest.fixture(scope="session")
def authors(tokenizer):
    """Gives what a kind's authors have read for each step: the tokens up to its score, whole and one by one."""
    return lambda name, question, steps: AUTHORS[name](tokenizer(name), question, steps)
