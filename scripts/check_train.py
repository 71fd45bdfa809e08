"""Train two steps of SFT, of single replies and of DPO with TRL on exports of the format `hf`, on a CPU.

`make check-train` runs it in an environment of its own, made of `scripts/train.txt`; by itself it is
`python scripts/check_train.py SFT_FOLDER STEPS_FOLDER PREFERENCE_FOLDER`. Model and tokenizer are made here,
tiny and untrained, and nothing is fetched: what is checked is that the files load, that chat templates render
them, and that what is trained on is the model's own words.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
STEPS = 2


def main() -> None:
    sft, steps, preference = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as scratch:
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HOME": scratch, "CUDA_VISIBLE_DEVICES": ""}
        whole = load(sft, scratch)
        check_rows(whole)
        check_mask(whole[0])
        print(f"SFT, whole conversations: loss {train_sft(whole, scratch, assistant_only_loss=True):.3f}")
        print(f"SFT, single replies: loss {train_sft(load(steps, scratch), scratch):.3f}")
        print(f"DPO: loss {train_dpo(load(preference, scratch), scratch):.3f}")


def load(folder: Path, scratch: str) -> Any:
    from datasets import load_dataset

    files = sorted(str(path) for path in folder.glob("split=train/*.parquet"))
    return load_dataset("parquet", data_files=files, split="train", cache_dir=scratch)


def check_rows(rows: Any) -> None:
    """Exit unless messages are objects without empty keys, and call arguments are objects."""
    for row in rows:
        for message in row["messages"]:
            if None in message.values():
                sys.exit(f"{row['id']}: a message has a key without a value, which templates render.")
            for call in message.get("tool_calls", ()):
                if not isinstance(call["function"]["arguments"], dict):
                    sys.exit(f"{row['id']}: arguments that are no object, which templates encode twice.")


def check_mask(row: dict[str, Any]) -> None:
    """Exit unless what is trained on is the replies, all of them, and nothing that others said."""
    tokens = tokenizer()
    encoded = tokens.apply_chat_template(
        row["messages"], tools=row["tools"], return_dict=True, return_assistant_tokens_mask=True
    )
    pairs = zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
    trained = tokens.decode([token for token, own in pairs if own])
    for message in row["messages"]:
        own = message["role"] == "assistant"
        if message["content"] and (message["content"] in trained) is not own:
            sys.exit(f"{row['id']}: a message of {message['role']} is {'not ' if own else ''}trained on.")


def train_sft(rows: Any, scratch: str, **options: Any) -> float:
    from trl import SFTConfig, SFTTrainer

    config = SFTConfig(max_length=4096, **options, **common(scratch))
    trainer = SFTTrainer(model(), args=config, train_dataset=rows, processing_class=tokenizer())
    return float(trainer.train().training_loss)


def train_dpo(rows: Any, scratch: str) -> float:
    from trl import DPOConfig, DPOTrainer

    config = DPOConfig(max_length=4096, **common(scratch))
    trainer = DPOTrainer(
        model(), ref_model=model(), args=config, train_dataset=rows, processing_class=tokenizer()
    )
    return float(trainer.train().training_loss)


def common(scratch: str) -> dict[str, Any]:
    return {
        "output_dir": scratch,
        "max_steps": STEPS,
        "per_device_train_batch_size": 2,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def tokenizer() -> Any:
    """Bytes as tokens, with the template by which TRL trains Qwen 3."""
    import trl
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *alphabet])}
    plain = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    plain.add_special_tokens(SPECIAL)
    tokens = PreTrainedTokenizerFast(tokenizer_object=plain, eos_token=SPECIAL[2], pad_token=SPECIAL[0])
    template = Path(trl.__file__).parent / "chat_templates" / "qwen3_training.jinja"
    tokens.chat_template = template.read_text("utf-8")
    return tokens


def model() -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(SPECIAL) + 256,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=16,
            max_position_embeddings=4096,
        )
    )


if __name__ == "__main__":
    main()
