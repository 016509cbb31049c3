"""Two models answer the same question at once, and their words arrive interleaved."""

from millstream import ChatPromptTemplate, RunnableParallel, StrOutputParser
from millstream.testing import FakeChatModel

prompt = ChatPromptTemplate.from_template("What do you think of {thing}?")
calm = FakeChatModel([["They ", "are ", "fine."]], delay=0.02)
hasty = FakeChatModel([["Love ", "them!"]], delay=0.01)

chain = prompt | RunnableParallel(
    calm=calm | StrOutputParser(),
    hasty=hasty | StrOutputParser(),
)

for piece in chain.stream({"thing": "rivers"}):
    print(piece)

print(chain.invoke({"thing": "rivers"}))
