"""Prompts: templates that are filled with values and become a text or messages."""

from millstream.messages.prompt_value import ChatPromptValue, PromptValue, StringPromptValue
from millstream.prompts.base import BasePromptTemplate
from millstream.prompts.chat import ChatPromptTemplate
from millstream.prompts.message import (
    AIMessagePromptTemplate,
    BaseMessagePromptTemplate,
    ChatMessagePromptTemplate,
    HumanMessagePromptTemplate,
    MessagesPlaceholder,
    SystemMessagePromptTemplate,
)
from millstream.prompts.prompt import PromptTemplate

__all__ = [
    "AIMessagePromptTemplate",
    "BaseMessagePromptTemplate",
    "BasePromptTemplate",
    "ChatMessagePromptTemplate",
    "ChatPromptTemplate",
    "ChatPromptValue",
    "HumanMessagePromptTemplate",
    "MessagesPlaceholder",
    "PromptTemplate",
    "PromptValue",
    "StringPromptValue",
    "SystemMessagePromptTemplate",
]
