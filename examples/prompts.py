"""A chat prompt with a conversation so far, filled and shown."""

from millstream.messages import AIMessage
from millstream.prompts import ChatPromptTemplate, MessagesPlaceholder

prompt = ChatPromptTemplate.from_messages(
    [
        ("system", "You are a {mood} assistant."),
        MessagesPlaceholder("history", optional=True),
        ("human", "{question}"),
    ]
).partial(mood="cheerful")

print(prompt.input_variables)
print(prompt.format(question="Who are you?", history=[("human", "Hi!"), AIMessage("Hello!")]))
