"""Twelve families of chat templates, written for the tests after what each family does.

``special`` begins with what begins a text, what ends one, and the unknown token. ``built_in`` is
whether llama.cpp's own template engine knows the family from the template's text.
"""

from __future__ import annotations

from dataclasses import dataclass

TAIL = "{% endfor %}{% if add_generation_prompt %}"


@dataclass(frozen=True)
class Family:
    """One family: its template and the special tokens that it writes."""

    template: str
    special: tuple[str, ...]
    takes_system: bool = True
    built_in: bool = True
    built_in_system: bool = True


FAMILIES = {
    "chatml": Family(
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' "
        "+ '\n' }}" + TAIL + "{{ '<|im_start|>assistant\n' }}{% endif %}",
        ("<|endoftext|>", "<|im_end|>", "<unk>", "<|im_start|>"),
    ),
    "llama-2": Family(
        "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}"
        "{% set start = '<<SYS>>\n' + messages[0]['content'] + '\n<</SYS>>\n\n' %}"
        "{% else %}{% set rest = messages %}{% set start = '' %}{% endif %}"
        "{% for m in rest %}{% set text = start + m['content'] if loop.first else m['content'] %}"
        "{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + text.strip() + ' [/INST]' }}"
        "{% elif m['role'] == 'assistant' %}{{ ' ' + text.strip() + ' ' + eos_token }}{% endif %}"
        "{% endfor %}",
        ("<s>", "</s>", "<unk>"),
    ),
    "llama-3": Family(
        "{% for m in messages %}{% set text = '<|start_header_id|>' + m['role'] + "
        "'<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' %}"
        "{% if loop.first %}{% set text = bos_token + text %}{% endif %}{{ text }}" + TAIL + ""
        "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
        (
            *("<|begin_of_text|>", "<|eot_id|>", "<unk>"),
            *("<|start_header_id|>", "<|end_header_id|>"),
        ),
    ),
    "mistral": Family(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
        "{% set system = messages[0]['content'] + '\n\n' %}{% set rest = messages[1:] %}"
        "{% else %}{% set system = '' %}{% set rest = messages %}{% endif %}"
        "{% for m in rest %}{% if m['role'] == 'user' %}"
        "{{ '[INST] ' + (system if loop.first else '') + m['content'] + ' [/INST]' }}"
        "{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}",
        ("<s>", "</s>", "<unk>", "[INST]", "[/INST]"),
        built_in_system=False,  # taken for Llama 2's, with one line end in place of two
    ),
    "gemma": Family(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}"
        "{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
        "{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' }}"
        + TAIL
        + "{{ '<start_of_turn>model\n' }}{% endif %}",
        ("<bos>", "<eos>", "<unk>", "<start_of_turn>", "<end_of_turn>"),
        takes_system=False,
    ),
    "phi-3": Family(
        "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}"
        + TAIL
        + "{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
        ("<s>", "<|endoftext|>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
    ),
    "zephyr": Family(
        "{% for m in messages %}\n{% if m['role'] == 'user' %}\n"
        "{{ '<|user|>\n' + m['content'] + eos_token }}\n{% elif m['role'] == 'system' %}\n"
        "{{ '<|system|>\n' + m['content'] + eos_token }}\n{% elif m['role'] == 'assistant' %}\n"
        "{{ '<|assistant|>\n'  + m['content'] + eos_token }}\n{% endif %}\n"
        "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n"
        "{% endfor %}",
        ("<s>", "</s>", "<unk>"),
        built_in=False,  # its own lacks the line end that this family's template writes
    ),
    "vicuna": Family(
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] + '\n\n' }}"
        "{% elif m['role'] == 'user' %}{{ 'USER: ' + m['content'] + '\n' }}"
        "{% else %}{{ 'ASSISTANT: ' + m['content'] + '</s>\n' }}{% endif %}"
        + TAIL
        + "{{ 'ASSISTANT:' }}{% endif %}",
        ("<s>", "</s>", "<unk>"),
    ),
    "command-r": Family(
        "{{ bos_token }}{% for m in messages %}{{ '<|START_OF_TURN_TOKEN|>' }}"
        "{% if m['role'] == 'system' %}{{ '<|SYSTEM_TOKEN|>' }}{% elif m['role'] == 'user' %}"
        "{{ '<|USER_TOKEN|>' }}{% else %}{{ '<|CHATBOT_TOKEN|>' }}{% endif %}"
        "{{ m['content'] | trim + '<|END_OF_TURN_TOKEN|>' }}"
        + TAIL
        + "{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}",
        (
            *("<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>", "<UNK>", "<|START_OF_TURN_TOKEN|>"),
            *("<|SYSTEM_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>"),
        ),
    ),
    "deepseek": Family(
        "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}"
        "{{ 'User: ' + m['content'] + '\n\n' }}{% elif m['role'] == 'assistant' %}"
        "{{ 'Assistant: ' + m['content'] + eos_token }}{% else %}{{ m['content'] + '\n\n' }}"
        "{% endif %}" + TAIL + "{{ 'Assistant:' }}{% endif %}",
        ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<unk>"),
        built_in=False,  # known by words with other quotes
    ),
    "phi-4": Family(
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '<|im_sep|>' + m['content'] "
        "+ '<|im_end|>' }}" + TAIL + "{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}",
        ("<|endoftext|>", "<|im_end|>", "<unk>", "<|im_start|>", "<|im_sep|>"),
    ),
    "granite": Family(
        "{% for m in messages %}{{ '<|start_of_role|>' + m['role'] + '<|end_of_role|>' "
        "+ m['content'] + '<|end_of_text|>\n' }}" + TAIL + ""
        "{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}",
        (
            *("<s>", "<|end_of_text|>", "<unk>"),
            *("<|start_of_role|>", "<|end_of_role|>"),
        ),
    ),
}
