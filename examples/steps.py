"""A chain of several steps, to be watched: `millstream run examples/steps.py:chain rivers --events`."""

from millstream import ChatPromptTemplate, RunnableParallel, StrOutputParser, init_chat_model

model = init_chat_model("local", max_tokens=24, temperature=0)


def count(thing: str) -> int:
    return len(thing)


def put_together(parts: dict[str, object]) -> str:
    return f"{parts['fact']} ({parts['letters']} letters)"


chain = (
    RunnableParallel(
        fact=ChatPromptTemplate.from_template("Tell me one fact about {thing}.") | model | StrOutputParser(),
        letters=count,
    )
    | put_together
)

if __name__ == "__main__":
    print(chain.invoke("rivers"))
