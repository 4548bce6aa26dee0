"""`usher finetune export`: trained roles for other engines: one GGUF file, or a folder that vLLM serves."""

import json
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.llm import EngineError, Role
from agent.llm_transformers import load_base
from agent.merge import merged_gguf
from agent.models import IDENTITY, adapters, base_model, model_path
from agent.settings import Settings
from tools.errors import UsherError

CHATML = "<|im_start|>"  # the mark of the chat template that MODELFILE writes
CONTEXT = 8192  # tokens a server keeps of a prompt and its answer
MODELFILE = """FROM ./{file}
PARAMETER temperature 0
PARAMETER num_ctx {context}
"""
CHATML_TEMPLATE = '''TEMPLATE """{{- range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
"""
PARAMETER stop "<|im_end|>"
'''


def export_gguf(role: Role, settings: Settings, out: Path) -> list[str]:
    """Write usher-ROLE.gguf (base and adapter merged) and an Ollama Modelfile to `out`; how to run them, in lines.

    Raises EngineError when the role has no adapter, or one for another base or prompt.
    """
    base = _gguf(settings)
    merged = merged_gguf(base, _adapter(role, settings), settings)
    file = _folder(out) / f"usher-{role}.gguf"
    shutil.copyfile(merged, file)
    modelfile = MODELFILE.format(file=file.name, context=CONTEXT)
    if CHATML in _chat_template(base):  # Ollama finds out other templates by itself, if it knows them
        modelfile += CHATML_TEMPLATE
    (out / "Modelfile").write_text(modelfile, encoding="utf-8")
    return [
        f"{file}: {file.stat().st_size / 1e6:.0f} MB, the {role} on {base.name}",
        f"llama.cpp: llama-server -m {shlex.quote(str(file))} -c {CONTEXT} --port 8080",
        f"Ollama: ollama create usher-{role} -f {shlex.quote(str(out / 'Modelfile'))}",
    ]


def export_vllm(settings: Settings, out: Path) -> list[str]:
    """Write `out`/base (a plain Hugging Face folder) and `out`/ROLE for every adapter; the command, in lines.

    The weights are those of the GGUF file, dequantised to float32, which holds them exactly. Raises EngineError when
    there is no adapter, or one for another base or prompt.
    """
    found = adapters(settings)
    if not found:
        raise EngineError(f"{settings.adapters}: no adapters here; train one with: usher finetune train --role planner")
    save_base(settings, _folder(out) / "base")
    for role, folder in found.items():
        shutil.rmtree(out / role, ignore_errors=True)
        shutil.copytree(folder, out / role)
    return [
        f"{out}: the base and the adapters {', '.join(found)}; serve it with",
        shlex.join(vllm_command(out, found)),
        "and give it to Usher with: USHER_LLM_URL=http://localhost:8000/v1",
    ]


def vllm_command(out: Path, found: Mapping[Role, Path]) -> list[str]:
    """The command that serves an exported folder, each adapter as a model named by its role."""
    return [
        *("python", "-m", "vllm.entrypoints.openai.api_server", "--model", str(out / "base")),
        *("--served-model-name", "base", "--max-model-len", str(CONTEXT), "--enable-lora"),
        *("--max-loras", str(len(found)), "--max-lora-rank", str(_lora_rank(found))),
        *("--lora-modules", *(f"{role}={out / role}" for role in found)),
    ]


def save_base(settings: Settings, folder: Path) -> None:
    """A GGUF file as a Hugging Face folder: config, safetensors, tokenizer, chat template, and which file it was."""
    import torch
    from transformers import LlamaForCausalLM

    path = _gguf(settings)
    tokenizer, read = load_base(path, torch.float32)
    if read.config.model_type != "llama":
        raise EngineError(f"{path}: is a {read.config.model_type} model; only llama models are exported")
    if hasattr(read.config, "quantization_config"):
        del read.config.quantization_config
    with torch.device("meta"):
        plain = LlamaForCausalLM(read.config)
    # What was read from a GGUF file refuses to be saved; a plain model with the same tensors does not.
    plain.load_state_dict(read.state_dict(), assign=True)
    plain.tie_weights()
    plain.generation_config = read.generation_config
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / IDENTITY).write_text(base_model(settings).model_dump_json(indent=2) + "\n", encoding="utf-8")


def _gguf(settings: Settings) -> Path:
    path = model_path(settings)
    if isinstance(path, str) or path.suffix != ".gguf":
        raise EngineError(f"{path}: only a GGUF file is exported; vLLM serves other models as they are")
    return path


def _adapter(role: Role, settings: Settings) -> Path:
    folder = adapters(settings).get(role)
    if folder is None:
        raise EngineError(
            f"{settings.adapters / role}: no adapter here; train it with: usher finetune train --role {role}"
        )
    return folder


def _folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsherError(f"{out}: cannot be written ({error.strerror})") from error
    return out


def _chat_template(base: Path) -> str:
    import gguf

    field: Any = gguf.GGUFReader(base).get_field("tokenizer.chat_template")
    return str(field.contents()) if field is not None else ""


def _lora_rank(found: Mapping[Role, Path]) -> int:
    """The largest rank of the adapters, rounded up to one that vLLM takes."""
    ranks = [json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["r"] for folder in found.values()]
    return next(rank for rank in (8, 16, 32, 64, 128, 256, 320, 512) if rank >= max(ranks))
