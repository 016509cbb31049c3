"""A prompt, the local model and a parser: the words appear as they are made."""

from millstream import ChatPromptTemplate, StrOutputParser, init_chat_model

prompt = ChatPromptTemplate.from_template("Tell me in two sentences why {thing} bend.")
model = init_chat_model("local", max_tokens=24, temperature=0)
chain = prompt | model | StrOutputParser()

for piece in chain.stream({"thing": "rivers"}):
    print(piece, end="", flush=True)
print()
