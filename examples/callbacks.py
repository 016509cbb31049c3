"""Handlers: words printed while a model is asked for its whole answer, and tokens counted."""

from millstream import (
    BaseCallbackHandler,
    ChatLocal,
    ChatPromptTemplate,
    HumanMessage,
    StreamingStdOutCallbackHandler,
    StrOutputParser,
)

# Given to the model: it is told of the runs of this model.
chat = ChatLocal(streaming=True, callbacks=[StreamingStdOutCallbackHandler()], temperature=0, max_tokens=16)
answer = chat([HumanMessage(content="Write one sentence about sparkling water.")])
print(f"\n> {answer.response_metadata['finish_reason']}")


class Meter(BaseCallbackHandler):
    """Counts the tokens that models write."""

    def __init__(self):
        self.tokens = 0

    def on_chat_model_start(self, serialized, messages, **kwargs):
        print(f"> {kwargs['name']} is asked: {messages[0][-1].text}")

    def on_llm_end(self, response, **kwargs):
        self.tokens += response.llm_output["token_usage"]["completion_tokens"]


# Given to a call: it is told of all that runs inside.
meter = Meter()
chain = ChatPromptTemplate.from_template("Name a {thing}.") | chat | StrOutputParser()
for thing in ("river", "lake"):
    chain.invoke({"thing": thing}, {"callbacks": [meter]})
    print(f"\n> {meter.tokens} tokens so far")
