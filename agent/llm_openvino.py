"""The default engine: OpenVINO GenAI in process, on the CPU, from a GGUF file or an OpenVINO model folder."""

import os
import queue
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agent.llm import EngineError, Request, Role
from agent.models import adapters, cache_folder, model_path
from agent.settings import Settings

# OpenVINO keeps compiled kernels for every length of input it has met. Read in chunks, inputs have few lengths, and
# memory stops growing after some hundred turns; the time stays the same.
CHUNK = 64  # tokens
KV_BLOCKS = 256  # of 32 tokens: the whole context of one request, or the cards that several begin with
FIRST_TOKENS = 40  # beams asked for in `choose`: the likeliest first tokens, more than the ranker has letters


class OpenVINOEngine:
    """One compiled pipeline a model; requests wait for one another, since two cores serve one request best.

    Raises EngineError for an adapter that was trained for something else.
    """

    name = "openvino"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._adapters = adapters(settings)
        self._lock, self._loading = threading.Lock(), threading.Lock()
        self._pipelines: dict[Path, Any] = {}

    def stream(self, request: Request) -> Iterator[str]:
        import openvino_genai as genai

        pipeline, config = self._pipeline(request.role), self._config(request)
        pieces: queue.SimpleQueue[str | BaseException | None] = queue.SimpleQueue()
        stopped = threading.Event()

        def take(piece: str) -> genai.StreamingStatus:
            pieces.put(piece)
            return genai.StreamingStatus.CANCEL if stopped.is_set() else genai.StreamingStatus.RUNNING

        def work() -> None:
            try:
                with self._lock:
                    if not stopped.is_set():
                        pipeline.generate([_text(pipeline, request)], config, take)
            except BaseException as error:  # noqa: BLE001 - carried to the caller's thread, which raises it
                pieces.put(error)
            pieces.put(None)

        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        try:
            while (piece := pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            stopped.set()
            worker.join()

    def choose(self, request: Request, choices: Sequence[str]) -> list[float]:
        config = self._config(request)
        # GenAI hands out no logits, but beam search over one token returns the likeliest with their log-probabilities.
        config.num_beams = config.num_return_sequences = FIRST_TOKENS
        config.max_new_tokens = 1
        pipeline = self._pipeline(request.role)
        with self._lock:
            result = pipeline.generate([_text(pipeline, request)], config)
        found: dict[str, float] = {}
        for text, score in zip(result.texts, result.scores, strict=True):  # likeliest first
            found.setdefault(text.strip(), float(score))
        return [found.get(_first_token(pipeline, choice), float("-inf")) for choice in choices]

    def tokens(self, request: Request) -> list[int]:
        """The prompt as the model reads it."""
        pipeline = self._pipeline(request.role)
        ids = pipeline.get_tokenizer().encode(_text(pipeline, request), add_special_tokens=False).input_ids
        return [int(token) for token in ids.data[0]]

    def trained(self, role: Role) -> bool:
        return role in self._adapters

    def plays(self, role: Role) -> bool:
        return role == "planner" or self.trained(role)

    def close(self) -> None:
        with self._lock:
            self._pipelines.clear()

    def _config(self, request: Request) -> Any:
        import openvino_genai as genai

        config = genai.GenerationConfig()
        config.apply_chat_template = False
        config.max_new_tokens = request.max_tokens
        config.do_sample = request.temperature > 0
        if config.do_sample:
            config.temperature = request.temperature
            config.rng_seed = request.seed
        if request.grammar is not None:
            config.structured_output_config = genai.StructuredOutputConfig(grammar=request.grammar)
        return config

    def _pipeline(self, role: Role) -> Any:
        with self._loading:  # many turns may come at once when a server goes away; one of them loads
            model = self._model(role)
            if model not in self._pipelines:
                self._pipelines[model] = _load(model, self._settings)
            return self._pipelines[model]

    def _model(self, role: Role) -> Path:
        model = model_path(self._settings)
        if isinstance(model, str):
            raise EngineError(
                f"{model}: the in-process CPU engine reads a GGUF file or an OpenVINO folder; "
                f"download it first with: usher model pull {model}"
            )
        adapter = self._adapters.get(role)
        if adapter is None:
            return model
        from agent.merge import merged_gguf

        return merged_gguf(model, adapter, self._settings)


def _text(pipeline: Any, request: Request) -> str:
    """The messages in the model's own chat template, and what the reply has already."""
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    return str(pipeline.get_tokenizer().apply_chat_template(messages, add_generation_prompt=True)) + request.begun


def _first_token(pipeline: Any, text: str) -> str:
    tokenizer = pipeline.get_tokenizer()
    return str(tokenizer.decode([int(tokenizer.encode(text, add_special_tokens=False).input_ids.data[0][0])])).strip()


def _load(model: Path, settings: Settings) -> Any:
    """A pipeline. A GGUF file is converted once; the conversion is kept, since it is most of the time to start."""
    import openvino_genai as genai

    # Else OpenVINO counts in bfloat16 where the CPU can, and a token takes a third longer (prompts of 1,000 the same).
    options: dict[str, Any] = {"scheduler_config": _scheduler(), "INFERENCE_PRECISION_HINT": "f32"}
    if settings.threads:
        options["INFERENCE_NUM_THREADS"] = settings.threads
    if model.is_dir():
        return genai.LLMPipeline(model, "CPU", **options)
    folder = cache_folder(settings, model, genai.__version__)
    if not (folder / "openvino_model.xml").is_file():
        _convert(model, folder)
    return genai.LLMPipeline(folder, "CPU", **options)


def _scheduler() -> Any:
    import openvino_genai as genai

    scheduler = genai.SchedulerConfig()
    scheduler.max_num_batched_tokens = CHUNK
    scheduler.num_kv_blocks = KV_BLOCKS
    scheduler.enable_prefix_caching = True
    return scheduler


def _convert(gguf: Path, folder: Path) -> None:
    import openvino_genai as genai

    building = folder.with_name(f"{folder.name}.{os.getpid()}")
    building.mkdir(parents=True)
    try:
        # GenAI writes the converted model beside the GGUF file: a link keeps that out of the installed package.
        (building / gguf.name).symlink_to(gguf.resolve())
        genai.LLMPipeline(building / gguf.name, "CPU", enable_save_ov_model=True)
        if not (building / "openvino_model.xml").is_file():
            raise EngineError(f"{gguf}: OpenVINO could not convert this model")
        shutil.rmtree(folder, ignore_errors=True)
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
