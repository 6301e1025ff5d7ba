"""The lab's tokenizer: one token a digit, a word, or a sign, decoded back to the very same text."""

from __future__ import annotations

from string import digits

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")
WORDS = (
    *digits, *(f",{digit}" for digit in digits), *"+-*,:.?{}()=", "\n", " ", ": ", " = ", "? ", "\\boxed{", " +", " -",
    "Problem", "Solution", "Verification", "Start", " with", " add", " minus", " times",
    " ok", " wrong", "Correct", "Yes", "No",
)  # fmt: skip
PATTERN = r"\\boxed\{|: | = |\? | ?[A-Za-z]+| [+-](?=\n|$)|,?\d|\n|[^\n]"


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Build the tokenizer; ``decode(encode(text))`` is the text for everything the lab writes."""
    vocabulary = {token: i for i, token in enumerate((*SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", vocabulary["<bos>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )
