"""transformers in process: for training parity, for model hubs, and for machines without OpenVINO."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from agent.llm import Request, Role
from agent.models import adapters, model_path
from agent.settings import Settings


class TransformersEngine:
    """The base model with each role's LoRA adapter loaded by peft; one request at a time.

    Raises EngineError for an adapter that was trained for something else.
    """

    name = "transformers"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._adapters = adapters(settings)
        self._lock, self._loading = threading.Lock(), threading.Lock()

    @property
    def _loaded(self) -> tuple[Any, Any]:
        with self._loading:  # of turns that come at once one loads
            return self._model

    @cached_property
    def _model(self) -> tuple[Any, Any]:
        return load_model(model_path(self._settings), self._adapters)

    @cached_property
    def _compiler(self) -> Any:
        import xgrammar

        tokenizer, model = self._loaded
        info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=model.config.vocab_size)
        return xgrammar.GrammarCompiler(info)

    def stream(self, request: Request) -> Iterator[str]:
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

        tokenizer, model = self._loaded
        stopped = threading.Event()

        class Stopped(StoppingCriteria):
            def __call__(self, input_ids: Any, *_: Any, **__: Any) -> Any:
                return torch.full((input_ids.shape[0],), stopped.is_set(), dtype=torch.bool)

        streamer: Any = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
        options: dict[str, Any] = {
            "max_new_tokens": request.max_tokens,
            "do_sample": request.temperature > 0,
            "streamer": streamer,
            "stopping_criteria": StoppingCriteriaList([Stopped()]),
            "pad_token_id": tokenizer.eos_token_id,
        }
        if request.temperature > 0:
            options |= {"temperature": request.temperature, "top_p": 1.0, "top_k": 0}
        if request.grammar is not None:
            import xgrammar.contrib.hf

            compiled = self._compiler.compile_grammar(request.grammar)
            options["logits_processor"] = [xgrammar.contrib.hf.LogitsProcessor(compiled)]
        failed: list[BaseException] = []

        def work() -> None:
            try:
                with self._lock, torch.inference_mode():
                    self._use(request.role)
                    torch.manual_seed(request.seed)
                    model.generate(**self._encode(request), **options)
            except BaseException as error:  # noqa: BLE001 - carried to the caller's thread, which raises it
                failed.append(error)
                streamer.end()

        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        try:
            yield from (piece for piece in streamer if piece)
        finally:
            stopped.set()
            worker.join()
        if failed:
            raise failed[0]

    def choose(self, request: Request, choices: Sequence[str]) -> list[float]:
        import torch

        tokenizer, model = self._loaded
        with self._lock, torch.inference_mode():
            self._use(request.role)
            logits = model(**self._encode(request)).logits[0, -1].float()
        scores = torch.log_softmax(logits, dim=-1)
        return [float(scores[tokenizer.encode(choice, add_special_tokens=False)[0]]) for choice in choices]

    def tokens(self, request: Request) -> list[int]:
        """The prompt as the model reads it."""
        return [int(token) for token in self._encode(request)["input_ids"][0]]

    def trained(self, role: Role) -> bool:
        return role in self._adapters

    def plays(self, role: Role) -> bool:
        return role == "planner" or self.trained(role)

    def close(self) -> None:
        self.__dict__.pop("_model", None)
        self.__dict__.pop("_compiler", None)

    def _encode(self, request: Request) -> Any:
        tokenizer, model = self._loaded
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False) + request.begun
        return tokenizer(text, add_special_tokens=False, return_tensors="pt").to(model.device)

    def _use(self, role: Role) -> None:
        _, model = self._loaded
        if role in getattr(model, "peft_config", {}):
            model.enable_adapters()
            model.set_adapter(role)
        elif getattr(model, "peft_config", {}):
            model.disable_adapters()


def load_model(path: Path | str, folders: Mapping[Role, Path]) -> tuple[Any, Any]:
    """Tokenizer and model with each adapter loaded under its role: in bf16 on a GPU, else in float32 on the CPU.

    On a CPU without bf16 instructions float32 is the faster one, and it is what the other engines are compared with.
    """
    import torch

    gpu = torch.cuda.is_available()
    tokenizer, model = load_base(path, torch.bfloat16 if gpu else torch.float32)
    model.to("cuda" if gpu else "cpu").eval()
    for role, folder in folders.items():
        model.load_adapter(str(folder), adapter_name=role)
    return tokenizer, model


def load_base(path: Path | str, dtype: Any) -> tuple[Any, Any]:
    """Tokenizer and model without adapters, on the CPU."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    folder, options, packed = str(path), {}, {}
    if isinstance(path, Path) and path.suffix == ".gguf":
        folder, options = str(path.parent), {"gguf_file": path.name}
        packed = {"quantization_config": GgufConfig(dequantize=True)}  # packed weights are slower and cannot be trained
    tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    return tokenizer, AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **options, **packed)
