"""A role's LoRA merged into the base GGUF, once, cached: OpenVINO reads no adapter beside a GGUF file.

W' = W + (alpha / r) B A (Hu et al. 2021). The GGUF keeps the rows of q and k in another order (paired for rotary
embeddings), so their delta is permuted alike. Merged tensors are written as Q8_0, all others as they were.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.llm import EngineError
from agent.models import cache_folder
from agent.settings import Settings


def merged_gguf(base: Path, adapter: Path, settings: Settings) -> Path:
    """The merged file, made when it is not in the cache. Raises EngineError when the two do not fit each other."""
    if base.suffix != ".gguf":
        raise EngineError(f"{base}: adapters are merged into GGUF files; export this one first")
    weights = adapter / "adapter_model.safetensors"
    merged = cache_folder(settings, base, weights, adapter / "adapter_config.json") / f"{adapter.name}.gguf"
    if not merged.is_file():
        merged.parent.mkdir(parents=True, exist_ok=True)
        building = merged.with_suffix(f".{os.getpid()}")
        merge(base, adapter, building)
        building.rename(merged)
    return merged


def lora_deltas(adapter: Path) -> dict[str, NDArray[np.float32]]:
    """Module name -> (alpha / r) B A, shape (out, in), of every module that the adapter changes."""
    import torch
    from safetensors import safe_open

    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    scale = config["lora_alpha"] / (config["r"] ** 0.5 if config.get("use_rslora") else config["r"])
    deltas = {}
    with safe_open(adapter / "adapter_model.safetensors", framework="pt") as file:
        for key in file.keys():  # noqa: SIM118 - safe_open is no mapping
            if key.endswith(".lora_A.weight"):
                a = file.get_tensor(key).to(torch.float32)
                b = file.get_tensor(key.replace(".lora_A.", ".lora_B.")).to(torch.float32)
                module = key.removesuffix(".lora_A.weight").removeprefix("base_model.model.")
                deltas[module] = (scale * (b @ a)).numpy()
    return deltas


def merge(base: Path, adapter: Path, out: Path) -> None:
    """Write base + adapter to `out`. Raises EngineError naming the first tensor that does not fit."""
    import gguf

    reader = gguf.GGUFReader(base)
    architecture = str(_field(reader, "general.architecture"))
    heads = int(_field(reader, f"{architecture}.attention.head_count"))
    heads_kv = int(_field(reader, f"{architecture}.attention.head_count_kv"))
    blocks = int(_field(reader, f"{architecture}.block_count"))
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, blocks)
    deltas = {f"{names.get_name(module)}.weight": delta for module, delta in lora_deltas(adapter).items()}
    held = {tensor.name for tensor in reader.tensors}
    if unknown := sorted(set(deltas) - held):
        raise EngineError(
            f"{adapter}: changes {unknown[0]}, which {base.name} does not have; it was trained on another base"
        )

    writer = gguf.GGUFWriter(out, architecture)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        sub_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=sub_type)
    for tensor in reader.tensors:
        data, kind = tensor.data, tensor.tensor_type
        if tensor.name in deltas:
            delta = deltas[tensor.name]
            if tensor.name.endswith(("attn_q.weight", "attn_k.weight")):
                delta = _permute(delta, heads if tensor.name.endswith("attn_q.weight") else heads_kv)
            weights = gguf.quants.dequantize(data, kind)
            if weights.shape != delta.shape:
                raise EngineError(f"{adapter}: {tensor.name} is {delta.shape}, in {base.name} it is {weights.shape}")
            kind = gguf.GGMLQuantizationType.Q8_0
            data = gguf.quants.quantize(weights + delta, kind)
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _field(reader: Any, name: str) -> Any:
    return reader.fields[name].contents()


def _permute(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of each head from halves (0.., d/2..) to pairs (0, d/2, 1, ...): the GGUF order."""
    out, width = rows.shape
    return rows.reshape(heads, 2, out // heads // 2, width).swapaxes(1, 2).reshape(out, width)
