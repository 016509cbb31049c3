"""One chain on three providers: a model in this process, OpenAI's and Anthropic's.

Needs `OPENAI_API_KEY` and `ANTHROPIC_API_KEY`. Other names of models are given as arguments, such as
`ollama:llama3.2` or `openrouter:qwen/qwen3-8b`.
"""

import sys

from millstream import ChatPromptTemplate, StrOutputParser, init_chat_model

prompt = ChatPromptTemplate.from_template("Tell me in one sentence why {things} bend.")

for name in sys.argv[1:] or ["local", "openai:gpt-4o-mini", "anthropic:claude-haiku-4-5"]:
    model = init_chat_model(name, temperature=0, max_tokens=16)
    chain = prompt | model | StrOutputParser()
    print(f"{name}: ", end="")
    for piece in chain.stream({"things": "rivers"}):
        print(piece, end="", flush=True)
    print()
