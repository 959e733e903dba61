"""Tiny models of transformers with random weights and a tokenizer of their own, in folders as save_pretrained makes them."""

import json
import os

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch
import transformers
from cases import Cases
from tokenizers import Tokenizer, models, pre_tokenizers, processors

cases = Cases()
transformers.utils.logging.disable_progress_bar()
torch.manual_seed(5)

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "a",
    "cat",
    "dog",
    "sat",
    "ran",
    "on",
    "mat",
    "good",
    "bad",
    "is",
    "in",
    "paris",
    "anna",
]
SHAPE = {
    "vocab_size": len(WORDS),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
}


def tokenizer(ends):
    words = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    if ends:
        marks = [("[CLS]", 2), ("[SEP]", 3)]
        words.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=marks)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]", "eos_token": "[SEP]"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, **names)


def save(name, model, ends=True, config=None):
    folder = cases.folder(name, config)
    model.eval().save_pretrained(folder)
    tokenizer(ends).save_pretrained(folder)
    return str(folder)


def column(values):
    return np.array(values, dtype=object)[:, None]


def labels(*names):
    return {
        "num_labels": len(names),
        "id2label": dict(enumerate(names)),
        "label2id": {n: i for i, n in enumerate(names)},
    }


Bert = transformers.BertConfig
asked = ["the cat sat on the mat", "a dog is bad", "anna ran"]
inputs = {"text_input": column(asked)}

folder = save("mood", transformers.BertForSequenceClassification(Bert(**SHAPE, **labels("bad", "so", "good"))))
told = transformers.pipeline("text-classification", folder)(asked)
scores = np.array([one["score"] for one in told], dtype=np.float32)[:, None]
cases.ask("mood", inputs, {"label": column([one["label"] for one in told]), "score": scores})
for text, one in zip(asked, told):
    answer = {"label": column([one["label"]]), "score": np.float32([[one["score"]]])}
    cases.ask("mood", {"text_input": column([text])}, answer)

folder = save("names", transformers.BertForTokenClassification(Bert(**SHAPE, **labels("O", "B-PER", "B-LOC"))))
told = transformers.pipeline("token-classification", folder, aggregation_strategy="simple")("anna is in paris")
cases.ask(
    "names",
    {"text_input": [["anna is in paris"]]},
    {"entities": [[json.dumps(told, default=float, ensure_ascii=False)]]},
)

folder = save("words", transformers.BertForMaskedLM(Bert(**SHAPE)))
told = transformers.pipeline("fill-mask", folder)("the cat [MASK] on the mat")
cases.ask(
    "words",
    {"text_input": [["the cat [MASK] on the mat"]]},
    {
        "token": [[one["token_str"] for one in told]],
        "score": np.array([[one["score"] for one in told]], dtype=np.float32),
    },
)

bert = transformers.BertModel(Bert(**SHAPE))
normalize = 'parameters { key: "normalize" value { string_value: "true" } }'
folder = save("meaning", bert, config=f'backend: "transformers" {normalize}')
means = []
for text in asked:
    with torch.inference_mode():
        hidden = bert(**tokenizer(True)(text, return_tensors="pt")).last_hidden_state
    mean = hidden[0].mean(dim=0)
    means.append((mean / mean.norm()).numpy())
cases.ask("meaning", inputs, {"embedding": np.stack(means)})

gpt = transformers.GPT2Config(
    vocab_size=len(WORDS), n_embd=16, n_layer=2, n_head=2, n_positions=64, bos_token_id=2, eos_token_id=3
)
writer = transformers.GPT2LMHeadModel(gpt)
folder = save("writer", writer, ends=False)
pipeline = transformers.pipeline("text-generation", folder)
told = pipeline("the cat", max_new_tokens=8, do_sample=False, return_full_text=False)[0]["generated_text"]
cases.ask("writer", {"text_input": ["the cat"]}, {"text_output": [told]})
save(
    "speaker",
    writer,
    ends=False,
    config="""backend: "transformers" model_transaction_policy { decoupled: true }
    input { name: "text_input" data_type: TYPE_STRING dims: [1] } output { name: "text_output" data_type: TYPE_STRING dims: [1] }""",
)

seq = transformers.T5Config(
    vocab_size=len(WORDS),
    d_model=16,
    d_kv=8,
    d_ff=32,
    num_layers=1,
    num_heads=2,
    decoder_start_token_id=0,
    eos_token_id=3,
)
translator = transformers.T5ForConditionalGeneration(seq).eval()
save("translator", translator)
words = tokenizer(True)
with torch.inference_mode():
    ids = words(["the cat"], return_tensors="pt", return_token_type_ids=False)
    made = translator.generate(**ids, max_new_tokens=8, do_sample=False)
cases.ask(
    "translator", {"text_input": ["the cat"]}, {"text_output": words.batch_decode(made, skip_special_tokens=True)}
)

# What is refused.
torch.save(bert.state_dict(), os.path.join(save("pickled", bert), "pytorch_model.bin"))
(cases.folder("pickled") / "model.safetensors").unlink()
coded = cases.folder("coded")
coded.joinpath("config.json").write_text(
    json.dumps({"model_type": "odd", "auto_map": {"AutoConfig": "odd.Odd"}, "architectures": ["OddModel"]})
)
coded.joinpath("odd.py").write_text(f"open({str(cases.repository / 'ran')!r}, 'w')\n")
cases.write()
