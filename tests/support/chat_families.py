"""Families of chat templates, written for the tests after what each family does.

``special`` begins with what begins a text, what ends one, and the unknown token. ``built_in`` is
whether llama.cpp's own template engine knows the family from the template's text. ``thinks`` is
what a template writes after ``thinking=off`` and ``thinking=on``, where it knows the two.
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
    thinks: tuple[str, str] | None = None
    knows_effort: bool = False
    asks_for_date: bool = False


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
    # Qwen2.5: a system message of its own where none is given.
    "qwen2.5": Family(
        "{%- if messages[0]['role'] == 'system' %}\n"
        "    {{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}\n"
        "{%- else %}\n"
        "    {{- '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}\n"
        "{%- endif %}\n{%- for m in messages %}\n"
        "    {%- if m.role != 'system' or not loop.first %}\n"
        "        {{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}\n"
        "    {%- endif %}\n{%- endfor %}\n{%- if add_generation_prompt %}\n"
        "    {{- '<|im_start|>assistant\n' }}\n{%- endif %}\n",
        ("<|endoftext|>", "<|im_end|>", "<unk>", "<|im_start|>"),
        built_in=False,  # it has no system message of its own
    ),
    # Qwen3: thinks unless told not to, and leaves thoughts out of past answers.
    "qwen3": Family(
        "{%- set ns = namespace(last=messages | length - 1) %}{%- for m in messages %}"
        "{%- set content = m.content if m.content is string else '' %}"
        "{%- if m.role == 'assistant' and '</think>' in content %}"
        "{%- set content = content.split('</think>')[-1].lstrip('\n') %}{%- endif %}"
        "{{- '<|im_start|>' + m.role + '\n' + content + '<|im_end|>\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
        "{%- if enable_thinking is defined and enable_thinking is false %}"
        "{{- '<think>\n\n</think>\n\n' }}{%- endif %}{%- endif %}",
        ("<|endoftext|>", "<|im_end|>", "<unk>", "<|im_start|>"),
        built_in=False,
        thinks=("<think>\n\n</think>\n\n", ""),
    ),
    # DeepSeek R1: always opens a thought, and the begin of the system prompt is the text's.
    "deepseek-r1": Family(
        "{% set ns = namespace(system='') %}{%- for m in messages %}{%- if m['role'] == 'system' %}"
        "{% set ns.system = m['content'] %}{%- endif %}{%- endfor %}{{ bos_token }}{{ ns.system }}"
        "{%- for m in messages %}{%- if m['role'] == 'user' %}"
        "{{ '<｜User｜>' + m['content'] }}{%- endif %}{%- if m['role'] == 'assistant' %}"
        "{% set content = m['content'] %}{% if '</think>' in content %}"
        "{% set content = content.split('</think>')[-1] %}{% endif %}"
        "{{ '<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>' }}{%- endif %}{%- endfor %}"
        "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{% endif %}",
        (
            *("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<unk>"),
            *("<｜User｜>", "<｜Assistant｜>"),
        ),
        built_in=False,  # its own opens no thought
    ),
    # DeepSeek V3.1: thinks where told to.
    "deepseek-v3.1": Family(
        "{% if not thinking is defined %}{% set thinking = false %}{% endif %}{{ bos_token }}"
        "{%- for m in messages if m['role'] == 'system' %}{{ m['content'] }}{%- endfor %}"
        "{%- for m in messages if m['role'] != 'system' %}{%- if m['role'] == 'user' %}"
        "{{ '<｜User｜>' + m['content'] }}{%- else %}"
        "{{ '<｜Assistant｜></think>' + m['content'].split('</think>')[-1] + eos_token }}"
        "{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{ '<｜Assistant｜>' }}"
        "{%- if thinking %}{{ '<think>' }}{%- else %}{{ '</think>' }}{%- endif %}{%- endif %}",
        (
            *("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<unk>"),
            *("<｜User｜>", "<｜Assistant｜>"),
        ),
        built_in=False,
        thinks=("</think>", "<think>"),
    ),
    # SmolLM3: says in the system message whether it thinks, and of which day it is; it reads
    # switches there and removes them.
    "smollm3": Family(
        "{%- if enable_thinking is not defined %}{%- set enable_thinking = true %}{%- endif %}"
        "{%- set mode = '/think' if enable_thinking else '/no_think' %}"
        "{{- '<|im_start|>system\n' }}{%- if messages[0].role == 'system' %}"
        "{%- set system_message = messages[0].content %}"
        "{%- if '/no_think' in system_message %}{%- set mode = '/no_think' %}"
        "{%- elif '/think' in system_message %}{%- set mode = '/think' %}{%- endif %}"
        "{%- set own = system_message.replace('/no_think', '').replace('/think', '').rstrip() %}"
        "{%- endif %}{%- if '/system_override' in system_message %}"
        "{{- own.replace('/system_override', '').rstrip() + '<|im_end|>\n' }}{%- else %}"
        "{{- 'Today Date: ' + strftime_now('%d %B %Y') + '\nReasoning Mode: ' + mode + '\n\n' }}"
        "{%- if own %}{{- own + '\n\n' }}{%- elif mode == '/think' %}"
        "{{- 'You are an assistant that thinks.\n\n' }}{%- else %}"
        "{{- 'You help.\n\n' }}{%- endif %}"
        "{{- '<|im_end|>\n' }}{%- endif %}{%- for m in messages %}{%- if m.role == 'user' %}"
        "{{- '<|im_start|>user\n' + m.content + '<|im_end|>\n' }}{%- elif m.role == 'assistant' %}"
        "{% generation %}{{- '<|im_start|>assistant\n' + m.content.lstrip('\n') "
        "+ '<|im_end|>\n' }}{% endgeneration %}{%- endif %}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
        "{%- if mode == '/no_think' %}{{- '<think>\n\n</think>\n' }}{%- endif %}{%- endif %}",
        ("<|begin_of_text|>", "<|im_end|>", "<unk>", "<|im_start|>"),
        built_in=False,
        thinks=("<think>\n\n</think>\n", ""),
        asks_for_date=True,
    ),
    # Nemotron Nano v2: reads switches in every message and removes them.
    "nemotron-nano-2": Family(
        "{%- set ns = namespace(enable_thinking=true) %}{%- for m in messages %}"
        "{%- if m['role'] in ['user', 'system'] %}{%- if '/think' in m['content'] %}"
        "{%- set ns.enable_thinking = true %}{%- elif '/no_think' in m['content'] %}"
        "{%- set ns.enable_thinking = false %}{%- endif %}{%- endif %}{%- endfor %}"
        "{{- bos_token + '<SPECIAL_10>System\n' }}{%- if messages[0]['role'] == 'system' %}"
        "{{- messages[0]['content'].replace('/think', '').replace('/no_think', '').strip() }}"
        "{%- endif %}{%- for m in messages %}{%- if m['role'] == 'user' %}"
        "{{- '\n<SPECIAL_11>User\n' "
        "+ m['content'].replace('/think', '').replace('/no_think', '').strip() }}"
        "{%- elif m['role'] == 'assistant' %}{%- set content = m['content'] %}"
        "{%- if '</think>' in content %}{%- set content = content.split('</think>')[1] %}"
        "{%- endif %}{{- '\n<SPECIAL_11>Assistant\n' + content.strip() }}{%- endif %}"
        "{%- endfor %}{%- if add_generation_prompt %}{{- '\n<SPECIAL_11>Assistant\n' }}"
        "{%- if ns.enable_thinking %}{{- '<think>\n' }}{%- else %}{{- '<think></think>' }}"
        "{%- endif %}{%- endif %}",
        ("<s>", "<SPECIAL_12>", "<unk>", "<SPECIAL_10>", "<SPECIAL_11>"),
        built_in=False,
    ),
    # Llama 3.1 and 3.2: the day stands in the system message, which is there in any case.
    "llama-3.1": Family(
        "{{- bos_token }}\n{%- if not date_string is defined %}\n"
        "    {%- if strftime_now is defined %}\n"
        "        {%- set date_string = strftime_now('%d %b %Y') %}\n"
        "    {%- else %}\n        {%- set date_string = '26 Jul 2024' %}\n    {%- endif %}\n"
        "{%- endif %}\n{%- if messages[0]['role'] == 'system' %}\n"
        "    {%- set system_message = messages[0]['content'] | trim %}\n"
        "    {%- set messages = messages[1:] %}\n{%- else %}\n"
        "    {%- set system_message = '' %}\n{%- endif %}\n"
        "{{- '<|start_header_id|>system<|end_header_id|>\n\n' }}\n"
        "{%- if tools is not none %}\n    {{- 'Environment: ipython\n' }}\n{%- endif %}\n"
        "{{- 'Cutting Knowledge Date: December 2023\n' }}\n"
        "{{- 'Today Date: ' + date_string + '\n\n' }}\n{{- system_message }}\n"
        "{{- '<|eot_id|>' }}\n{%- for m in messages %}\n"
        "    {{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' "
        "+ m['content'] | trim + '<|eot_id|>' }}\n{%- endfor %}\n{%- if add_generation_prompt %}\n"
        "    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}\n{%- endif %}\n",
        (
            *("<|begin_of_text|>", "<|eot_id|>", "<unk>"),
            *("<|start_header_id|>", "<|end_header_id|>"),
        ),
        built_in=False,
        asks_for_date=True,
    ),
    # gpt-oss: channels; the system prompt is the developer's; thoughts of past answers go.
    "gpt-oss": Family(
        "{%- if reasoning_effort is not defined %}{%- set reasoning_effort = 'medium' %}"
        "{%- endif %}{{- '<|start|>system<|message|>You are ChatGPT.\nCurrent date: ' "
        "+ strftime_now('%Y-%m-%d') + '\n\nReasoning: ' + reasoning_effort + '\n\n# Valid "
        "channels: analysis, commentary, final.<|end|>' }}"
        "{%- if messages[0].role in ['developer', 'system'] %}"
        "{{- '<|start|>developer<|message|># Instructions\n\n' + messages[0].content + '\n\n"
        "<|end|>' }}{%- set rest = messages[1:] %}{%- else %}{%- set rest = messages %}"
        "{%- endif %}{%- for m in rest %}{%- if m.role == 'assistant' %}"
        "{{- '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|end|>' }}"
        "{%- else %}{{- '<|start|>user<|message|>' + m.content + '<|end|>' }}{%- endif %}"
        "{%- endfor %}{%- if add_generation_prompt %}{{- '<|start|>assistant' }}{%- endif %}",
        (
            *("<|startoftext|>", "<|return|>", "<unk>", "<|start|>", "<|message|>"),
            *("<|end|>", "<|channel|>"),
        ),
        built_in=False,
        knows_effort=True,
        asks_for_date=True,
    ),
    # Gemma 3: texts or parts; a system message goes before the first turn, without a role.
    "gemma-3": Family(
        "{{ bos_token }}\n{%- if messages[0]['role'] == 'system' -%}\n"
        "    {%- if messages[0]['content'] is string -%}\n"
        "        {%- set before = messages[0]['content'] + '\n\n' -%}\n    {%- else -%}\n"
        "        {%- set before = messages[0]['content'][0]['text'] + '\n\n' -%}\n"
        "    {%- endif -%}\n    {%- set rest = messages[1:] -%}\n{%- else -%}\n"
        "    {%- set before = '' -%}\n    {%- set rest = messages -%}\n{%- endif -%}\n"
        "{%- for m in rest -%}\n    {%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) -%}\n"
        "        {{ raise_exception('Conversation roles must alternate') }}\n    {%- endif -%}\n"
        "    {{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' "
        "+ (before if loop.first else '') }}\n    {%- if m['content'] is string -%}\n"
        "        {{ m['content'] | trim }}\n    {%- elif m['content'] is iterable -%}\n"
        "        {%- for item in m['content'] -%}\n"
        "            {{ item['text'] | trim if item['type'] == 'text' else '<image>' }}\n"
        "        {%- endfor -%}\n    {%- endif -%}\n    {{ '<end_of_turn>\n' }}\n"
        "{%- endfor -%}\n{%- if add_generation_prompt -%}\n"
        "    {{ '<start_of_turn>model\n' }}\n{%- endif -%}\n",
        ("<bos>", "<eos>", "<unk>", "<start_of_turn>", "<end_of_turn>"),
        built_in=False,
    ),
    # Mistral since 2024: roles must take turns, and the system prompt has marks of its own.
    "mistral-small": Family(
        "{%- if messages[0]['role'] == 'system' %}\n"
        "    {%- set system_message = messages[0]['content'] %}\n"
        "    {%- set loop_messages = messages[1:] %}\n{%- else %}\n"
        "    {%- set system_message = 'Today is ' + strftime_now('%Y-%m-%d') + '.' %}\n"
        "    {%- set loop_messages = messages %}\n{%- endif %}\n"
        "{{- bos_token + '[SYSTEM_PROMPT]' + system_message + '[/SYSTEM_PROMPT]' }}\n"
        "{%- for m in loop_messages %}\n    {%- if m['role'] == 'user' %}\n"
        "        {%- if m['content'] is string %}\n"
        "            {{- '[INST]' + m['content'] + '[/INST]' }}\n        {%- else %}\n"
        "            {{- '[INST]' }}{%- for block in m['content'] %}{{- block['text'] }}"
        "{%- endfor %}{{- '[/INST]' }}\n        {%- endif %}\n"
        "    {%- elif m['role'] == 'assistant' %}\n"
        "        {{- m['content'] + eos_token }}\n    {%- else %}\n"
        "        {{- raise_exception('Only user and assistant roles are supported!') }}\n"
        "    {%- endif %}\n{%- endfor %}\n",
        (
            *("<s>", "</s>", "<unk>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]"),
            "[/SYSTEM_PROMPT]",
        ),
        built_in=False,
        asks_for_date=True,
    ),
    # Magistral and Ministral that reason: thoughts have marks of their own.
    "magistral": Family(
        "{{- bos_token }}{%- for m in messages %}{%- if m.role == 'system' %}"
        "{{- '[SYSTEM_PROMPT]' + m.content + '[/SYSTEM_PROMPT]' }}{%- elif m.role == 'user' %}"
        "{{- '[INST]' + m.content + '[/INST]' }}{%- else %}"
        "{{- m.content.split('[/THINK]')[-1] + eos_token }}{%- endif %}{%- endfor %}",
        (
            *("<s>", "</s>", "<unk>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]"),
            *("[/SYSTEM_PROMPT]", "[THINK]", "[/THINK]"),
        ),
        built_in=False,
    ),
    # Granite 3.3: thinks where told to, by words in the system message.
    "granite-3.3": Family(
        "{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content'] "
        "%}{%- set rest = messages[1:] %}{%- else %}{%- set system_message = 'Knowledge Cutoff "
        "Date: April 2024.\nToday\\'s Date: ' + strftime_now('%B %d, %Y') + '.' %}"
        "{%- if thinking %}{%- set system_message = system_message + ' Write your thoughts "
        "between <think></think>.' %}{%- endif %}{%- set rest = messages %}{%- endif %}"
        "{{- '<|start_of_role|>system<|end_of_role|>' + system_message + '<|end_of_text|>\n' }}"
        "{%- for m in rest %}{{- '<|start_of_role|>' + m['role'] + '<|end_of_role|>' "
        "+ m['content'] + '<|end_of_text|>\n' }}{%- endfor %}{%- if add_generation_prompt %}"
        "{{- '<|start_of_role|>assistant' }}"
        "{%- if thinking %}{{- ' {\"thinking\": true}' }}{%- endif %}"
        "{{- '<|end_of_role|>' }}{%- endif %}",
        ("<s>", "<|end_of_text|>", "<unk>", "<|start_of_role|>", "<|end_of_role|>"),
        built_in=False,
        thinks=("assistant<|end_of_role|>", '{"thinking": true}<|end_of_role|>'),
        asks_for_date=True,
    ),
    # GLM 4.5: no line ends between turns; /nothink stands at the end of each question.
    "glm-4.5": Family(
        "{{ '[gMASK]<sop>' }}{%- for m in messages %}{%- if m.role == 'user' %}"
        "{{ '<|user|>\n' + m.content }}{{- '/nothink' if (enable_thinking is defined and not "
        "enable_thinking and not m.content.endswith('/nothink')) else '' -}}"
        "{%- elif m.role == 'assistant' %}"
        "{{ '<|assistant|>\n<think></think>\n' + m.content.split('</think>')[-1] | trim }}"
        "{%- else %}{{ '<|system|>\n' + m.content }}{%- endif %}{%- endfor %}"
        "{%- if add_generation_prompt %}{{ '<|assistant|>' }}"
        "{{- '\n<think></think>' if (enable_thinking is defined and not enable_thinking) else '' }}"
        "{%- endif %}",
        ("[gMASK]", "<|endoftext|>", "<unk>", "<sop>", "<|user|>", "<|assistant|>", "<|system|>"),
        built_in=False,
        thinks=("\n<think></think>", "<|assistant|>"),
    ),
}
