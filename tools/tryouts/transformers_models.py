"""Tiny models of `transformers` with random weights: forward, backward, generate, save, load."""

import sys
import tempfile

import torch
import transformers as t

torch.manual_seed(0)
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 32}  # fmt: skip
TOKENS = torch.arange(10).view(2, 5) + 3


def show(what, tensor):
    """Prints a tensor's size and its first and last numbers."""
    flat = tensor.detach().double().flatten()
    ends = [*flat[:4].tolist(), *flat[-4:].tolist()]
    print(f"{what} {flat.norm().item():.6f} {flat.sum().item():.5f}", *[f"{x:.6f}" for x in ends])


def tokens(ids):
    """Prints the tokens of a generated text, as numbers that are compared."""
    print(*[f"{i:.1f}" for i in ids.flatten().tolist()])


def report(name, model, inputs, result):
    """Prints loss, outputs and every gradient; saves, loads and compares."""
    result.loss.backward()
    print(f"{name} loss {result.loss.item():.6f}")
    for key, value in result.items():
        if torch.is_tensor(value) and value.is_floating_point():
            show(f"{name} {key}", value)
    for key, parameter in model.named_parameters():
        if parameter.grad is not None:
            show(f"gradient of {key}", parameter.grad)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        model.save_pretrained(folder)
        again = type(model).from_pretrained(folder).eval()
        for key, value in model.state_dict().items():
            assert torch.equal(value, again.state_dict()[key]), key
        first, second = model(**inputs), again(**inputs)
        assert torch.equal(first[0], second[0])
        print(f"mean {first[1].float().mean().item():.6f}")


def language(name, model, **generate):
    model.eval()
    inputs = {"input_ids": TOKENS, "attention_mask": torch.ones_like(TOKENS), "labels": TOKENS}
    report(name, model, inputs, model(**inputs))
    if generate:
        inputs.pop("labels")
        tokens(model.generate(**inputs, **generate))


def bert():
    config = t.BertConfig(vocab_size=50, max_position_embeddings=32, **SMALL)
    language("bert", t.BertForMaskedLM(config))


GREEDY = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}


def gpt2():
    config = t.GPT2Config(vocab_size=50, n_positions=32, n_embd=16, n_layer=2, n_head=2)
    model = t.GPT2LMHeadModel(config)
    language("gpt2", model, **GREEDY)
    torch.manual_seed(3)
    tokens(model.generate(TOKENS, max_new_tokens=6, do_sample=True, top_k=10, pad_token_id=0))
    tokens(model.generate(TOKENS, max_new_tokens=6, num_beams=3, pad_token_id=0))


def llama():
    config = t.LlamaConfig(vocab_size=50, num_key_value_heads=1, **SMALL)
    language("llama", t.LlamaForCausalLM(config), **GREEDY)


def mamba():
    config = t.MambaConfig(vocab_size=50, hidden_size=16, state_size=4, num_hidden_layers=2)
    language("mamba", t.MambaForCausalLM(config), **GREEDY)


def t5():
    config = t.T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2,
                        decoder_start_token_id=0)  # fmt: skip
    language("t5", t.T5ForConditionalGeneration(config), **GREEDY)


def vit():
    config = t.ViTConfig(image_size=16, patch_size=4, num_labels=3, **SMALL)
    model = t.ViTForImageClassification(config).eval()
    inputs = {"pixel_values": torch.randn(2, 3, 16, 16), "labels": torch.tensor([0, 2])}
    report("vit", model, inputs, model(**inputs))


def whisper():
    config = t.WhisperConfig(
        vocab_size=50, d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_source_positions=10,
        max_target_positions=16, num_mel_bins=8, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=1,
    )  # fmt: skip
    model = t.WhisperForConditionalGeneration(config).eval()
    inputs = {"input_features": torch.randn(2, 8, 20), "labels": TOKENS}
    report("whisper", model, inputs, model(**inputs))
    tokens(model.generate(inputs["input_features"], max_new_tokens=6, do_sample=False))


def clip():
    vision = {"image_size": 16, "patch_size": 4, "projection_dim": 8, **SMALL}
    text = {"vocab_size": 50, "max_position_embeddings": 16, "projection_dim": 8, **SMALL}
    model = t.CLIPModel(t.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    inputs = {"input_ids": TOKENS, "pixel_values": torch.randn(2, 3, 16, 16), "return_loss": True}
    report("clip", model.eval(), inputs, model(**inputs))


def trainer():
    config = t.GPT2Config(vocab_size=50, n_positions=32, n_embd=16, n_layer=2, n_head=2,
                          attn_pdrop=0, resid_pdrop=0, embd_pdrop=0)  # fmt: skip
    data = [{"input_ids": torch.arange(6) + i, "labels": torch.arange(6) + i} for i in range(16)]
    with tempfile.TemporaryDirectory() as folder:
        settings = t.TrainingArguments(
            folder, max_steps=6, per_device_train_batch_size=4, logging_steps=1, report_to=[],
            use_cpu=True, save_steps=3, disable_tqdm=True, seed=1,
        )  # fmt: skip
        run = t.Trainer(t.GPT2LMHeadModel(config), settings, train_dataset=data)
        run.train()
        for entry in run.state.log_history:
            if "loss" in entry:
                print(f"trainer loss {float(entry['loss']):.4f}")


t.logging.set_verbosity_error()
globals()[sys.argv[1]]()
