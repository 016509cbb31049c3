"""What type checkers must refuse: each line that ends in `# wrong`. See test_typing.py."""

from typing import Any

from millstream import (
    AIMessageChunk,
    ChatPromptTemplate,
    HumanMessage,
    JsonOutputParser,
    Runnable,
    StrOutputParser,
)
from millstream.testing import FakeChatModel

text = ChatPromptTemplate.from_template("{x}") | FakeChatModel(["hello"]) | StrOutputParser()
number: Runnable[dict[str, Any], int] = text  # wrong
text.invoke({"x": 1}, {"tag": ["a"]})  # wrong
text.invoke({"x": 1}).bit_length()  # wrong
HumanMessage("x").contents  # wrong
AIMessageChunk("x", position="last")  # wrong
text | 3  # wrong
JsonOutputParser(repairs=True)  # wrong
JsonOutputParser(events=True).invoke("{}").place  # wrong
