"""Random LoRA adapters, large enough to change what the model says: they test what carries an adapter."""

from pathlib import Path

from agent.llm import Role
from agent.llm_transformers import load_base
from agent.models import model_path, write_identity
from agent.settings import Settings


def random_adapter(settings: Settings, role: Role = "planner", seed: int = 5, rank: int = 4) -> Path:
    """An adapter of the settings' model in its place under `settings.adapters`."""
    import torch
    from peft import LoraConfig, get_peft_model

    _, base = load_base(model_path(settings), torch.bfloat16)
    torch.manual_seed(seed)
    lora = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    tuned = get_peft_model(base, lora)
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
    folder = settings.adapters / role
    tuned.save_pretrained(str(folder))
    data = folder / "data.jsonl"
    data.write_text("made up\n")
    write_identity(folder, role, settings, {"seed": seed}, data)
    return folder
