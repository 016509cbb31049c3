"""The real local model behind its own HTTP server, which speaks OpenAI's and Anthropic's wires."""

import os
import socket
from importlib import import_module
from typing import Any

from millstream.providers.local.weights import find_model

KEY = "key-of-the-local-server"
MODEL = "smollm2"


class LocalServer:
    """llama.cpp's server on a port of this machine; ends with `close`."""

    def __init__(self, *, chat_template: str | None = None, parallel: int = 2) -> None:
        xllamacpp: Any = import_module("xllamacpp")
        params = xllamacpp.CommonParams()
        params.model.path = str(find_model(None))
        params.model_alias = {MODEL}
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 2) - 1)
        params.n_ctx, params.n_parallel = 2048 * parallel, parallel
        params.n_batch = params.n_ubatch = 128
        params.cache_ram_mib = 256
        params.verbosity = -1
        params.warmup = False
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        params.api_keys = [KEY]
        params.hostnames = ["127.0.0.1"]
        params.port = _free_port()
        if chat_template is not None:
            params.chat_template = chat_template
        self._server: Any = xllamacpp.Server(params)
        self.url = f"http://127.0.0.1:{params.port}"
        self._server.handle_completions(b'{"prompt":"a","max_tokens":1,"stream":true}', lambda piece: False)

    def close(self) -> None:
        self._server = None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
