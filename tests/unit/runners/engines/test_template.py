"""Chat templates of a GGUF file render as transformers renders them."""

from __future__ import annotations

from typing import Any

import pytest

from comparator.core.conversation import Conversation
from comparator.core.exceptions import InferenceError
from runners.engines.chat_prompt import render
from runners.engines.template import compile_template

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}

# One for each family of templates: written for this test after what the families do.
FAMILIES = {
    "chatml": (
        "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + "
        "'<|im_end|>' + '\n'}}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
    "llama-2": (
        "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}"
        "{% set system = messages[0]['content'] %}{% else %}{% set rest = messages %}"
        "{% set system = false %}{% endif %}{% for m in rest %}"
        "{% if loop.index0 == 0 and system is not false %}"
        "{% set text = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + m['content'] %}"
        "{% else %}{% set text = m['content'] %}{% endif %}"
        "{{ bos_token + '[INST] ' + text.strip() + ' [/INST]' }}{% endfor %}"
    ),
    "llama-3": (
        "{{- bos_token }}\n{%- for m in messages %}\n"
        "    {{- '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim "
        "+ '<|eot_id|>' }}\n{%- endfor %}\n{%- if add_generation_prompt %}\n"
        "    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}\n{%- endif %}\n"
    ),
    "gemma": (
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}"
        "{{ '<start_of_turn>' + (m['role'] | replace('assistant', 'model')) + '\n' "
        "+ m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
    ),
    "mistral": (
        "{{- bos_token }}{%- set ns = namespace(index=0) %}{%- for m in messages %}"
        "{%- if m['role'] == 'user' %}{%- set ns.index = ns.index + 1 %}"
        "{{- '[INST] ' + m['content'] + '[/INST]' }}"
        "{%- else %}{{- m['content'] + eos_token }}{%- endif %}{%- endfor %}"
    ),
    "phi": (
        "{% for m in messages %}{% if m['role'] == 'user' %}{{'<|user|>' + '\n' + m['content'] "
        "+ '<|end|>' + '\n' + '<|assistant|>' + '\n'}}{% elif m['role'] == 'system' %}"
        "{{'<|system|>\n' + m['content'] + '<|end|>\n'}}{% endif %}{% endfor %}"
    ),
    "zephyr": (
        "{% for m in messages %}\n{% if m['role'] == 'user' %}\n{{ '<|user|>\n' + m['content'] "
        "+ eos_token }}\n{% elif m['role'] == 'system' %}\n{{ '<|system|>\n' + m['content'] "
        "+ eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n"
        "{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
    ),
    "with tools": (
        "{% if tools %}{{ tools | tojson(indent=2) }}{% endif %}"
        "{{ messages | tojson }}{% if documents %}docs{% endif %}"
    ),
    "with a date": "{{ strftime_now('%Y') }}{% for m in messages %}{{ m.content }}{% endfor %}",
    "with loop controls": (
        "{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% continue %}"
        "{% endif %}{% generation %}{{ m.content }}{% endgeneration %}{% break %}{% endfor %}"
    ),
    "with undefined names": (
        "{{ pad_token }}{% if x is defined %}y{% endif %}{{ messages[0].name }}"
        "{% for m in messages %}{{ m.content }}{% endfor %}"
    ),
    "with other dashes": "  {%- for m in messages -%}  {{ m.content }}  {%- endfor -%}  \n",
}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    tokenizers = pytest.importorskip("tokenizers")
    from transformers import PreTrainedTokenizerFast

    backend = tokenizers.Tokenizer(tokenizers.models.BPE({"a": 0}, []))
    return PreTrainedTokenizerFast(tokenizer_object=backend, **SPECIAL)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("system", ["", "Sei nett.\n "])
@pytest.mark.parametrize("prompt", ["你好 😀 <b>\"'", "  spaces \n"])
def test_renders_as_transformers(tokenizer: Any, family: str, system: str, prompt: str) -> None:
    def of_transformers(messages: Any) -> str:
        text: str = tokenizer.apply_chat_template(
            messages, chat_template=FAMILIES[family], tokenize=False, add_generation_prompt=True
        )
        return text

    asked = Conversation.of(prompt, system)
    ours = render(compile_template(FAMILIES[family], SPECIAL), "gguf", asked)
    assert ours.text == render(of_transformers, "tokenizer", asked).text


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ raise_exception.__globals__['json'] }}",
    ],
)
def test_tricks_are_refused(source: str) -> None:
    with pytest.raises(InferenceError, match="tried something forbidden"):
        render(compile_template(source, SPECIAL), "gguf", Conversation.of("q"))


def test_damaged_template_is_told() -> None:
    with pytest.raises(InferenceError, match=r"chat template fails .*Syntax"):
        compile_template("{% for %}", SPECIAL)
