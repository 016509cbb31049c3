"""Servers that speak OpenAI's wire, by name: where they are, who gives the key, in what they differ."""

import os
from urllib.parse import urlsplit

import msgspec

from millstream.errors import AuthenticationError, ConfigError
from millstream.providers.openai.request import OPENAI, Dialect


class Preset(msgspec.Struct, frozen=True):
    """A server, or a service."""

    url: str
    """Where it listens; with `host_variable`, what is put behind that."""
    key_variable: str | None = None
    """The environment's variable that holds its key; None if it takes none."""
    host_variable: str | None = None
    """The environment's variable that says at which host it is, if that differs by account or machine."""
    default_host: str = ""
    """The host, without that variable."""
    dialect: Dialect = Dialect()
    """In what its wire differs."""

    def base_url(self) -> str:
        """Its address. Raises `ConfigError` if the environment has to say it, and does not."""
        if self.host_variable is None:
            return self.url
        host = os.environ.get(self.host_variable) or self.default_host
        if not host:
            raise ConfigError(f"Where is the server? Set {self.host_variable}, or give `base_url`.")
        if "://" not in host:
            # As the default has it. A key goes with no request that others can read.
            usual, given = urlsplit(self.default_host), urlsplit(f"//{host}")
            port = f":{usual.port}" if usual.port and not given.port else ""
            host = f"{usual.scheme or 'https'}://{given.netloc}{port}{given.path}"
        return host.rstrip("/") + self.url

    def api_key(self) -> str:
        """Its key. Raises `AuthenticationError` if the environment has none."""
        if self.key_variable is None:
            return "none"  # the SDK wants one
        key = os.environ.get(self.key_variable)
        if not key:
            raise AuthenticationError(f"There is no key: set {self.key_variable}, or give `api_key`.")
        return key


#: The names that `init_chat_model("<name>:<model>")` and `ChatOpenAI(preset=...)` know.
PRESETS = {
    # https://docs.ollama.com/api/openai-compatibility
    "ollama": Preset("/v1", host_variable="OLLAMA_HOST", default_host="http://127.0.0.1:11434"),
    # https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html
    "vllm": Preset("http://127.0.0.1:8000/v1"),
    # https://openrouter.ai/docs/api/reference/overview
    "openrouter": Preset(
        "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", dialect=Dialect(echoed=("reasoning_details",))
    ),
    # https://console.groq.com/docs/openai
    "groq": Preset("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    # https://api-docs.deepseek.com
    "deepseek": Preset(
        "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", dialect=Dialect(echoed=("reasoning_content",))
    ),
    # https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle: the address without versions
    "azure": Preset(
        "/openai/v1",
        "AZURE_OPENAI_API_KEY",
        host_variable="AZURE_OPENAI_ENDPOINT",
        dialect=OPENAI,
    ),
}


def preset_of(name: str) -> Preset:
    """The preset of this name. Raises `ConfigError` with the names that there are."""
    found = PRESETS.get(name)
    if found is None:
        raise ConfigError(f"There is no preset {name!r}. There are: {', '.join(sorted(PRESETS))}.")
    return found
