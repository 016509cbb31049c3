"""Words on the screen while a whole answer is awaited, and the tokens of it, for three kinds of models.

Needs `OPENAI_API_KEY` and `ANTHROPIC_API_KEY`.
"""

from millstream import Anthropic, ChatOpenAI, HumanMessage, OpenAI, StreamingStdOutCallbackHandler

options = {
    "streaming": True,
    "callbacks": [StreamingStdOutCallbackHandler()],
    "temperature": 0,
    "max_tokens": 12,
}

llm = OpenAI(**options)
text = llm("A verse about sparkling water:\n")
print(f"\n> {len(text)} characters")

# Streamed or not, the tokens are those that the provider counted.
result = llm.generate(["A joke about a fish:\n"])
print(f"\n> {result.generations[0][0].text!r}")
print(f"> {result.llm_output['token_usage']}")

chat = ChatOpenAI(**options)
message = chat([HumanMessage(content="Write one line about sparkling water.")])
print(f"\n> {message.usage_metadata.output_tokens} tokens")

claude = Anthropic(**options)
text = claude("Write one line about sparkling water.")
print(f"\n> {len(text)} characters")
