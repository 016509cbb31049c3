"""Language models: chat models and text models, and what one has to write to add one."""

from millstream.language_models.chat_models import BaseChatModel, ModelInput
from millstream.language_models.llms import BaseLLM
from millstream.language_models.registry import init_chat_model, register_chat_model

__all__ = ["BaseChatModel", "BaseLLM", "ModelInput", "init_chat_model", "register_chat_model"]
