"""Answers from documents: real embeddings, FAISS and the local model. The chain streams after the search."""

from millstream import (
    FAISS,
    ChatLocal,
    ChatPromptTemplate,
    LocalEmbeddings,
    RunnablePassthrough,
    StrOutputParser,
)

template = """Answer the question based only on the following context:
{context}

Question: {question}
"""
prompt = ChatPromptTemplate.from_template(template)

vectorstore = FAISS.from_texts(
    ["harrison worked at kensho", "harrison likes spicy food"],
    embedding=LocalEmbeddings(),
)
retriever = vectorstore.as_retriever()
model = ChatLocal(temperature=0, max_tokens=32)

retrieval_chain = (
    {
        "context": retriever.with_config(run_name="Docs"),
        "question": RunnablePassthrough(),
    }
    | prompt
    | model
    | StrOutputParser()
)

if __name__ == "__main__":
    print(list(retriever.stream("where did harrison work?")))
    for chunk in retrieval_chain.stream("Where did harrison work?"):
        print(chunk, end="|", flush=True)
    print()
