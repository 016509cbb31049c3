"""A run with projections: the text for the screen, the steps for a log, and what it cost.

The second run is stopped after five pieces; what it cost until then is estimated.
"""

import threading

from millstream import (
    Cancelled,
    ChatPromptTemplate,
    LiveRun,
    StepFinished,
    StepStarted,
    StrOutputParser,
    init_chat_model,
)

prompt = ChatPromptTemplate.from_messages(
    [("system", "You answer in one short sentence."), ("human", "Why do {things} bend?")]
)
model = init_chat_model("local", temperature=0, max_tokens=24)
chain = prompt | model.with_config(run_name="writer") | StrOutputParser()


def log(run: LiveRun[str]) -> None:
    for event in run.events:
        match event:
            case StepStarted(name=name):
                steps.append(f"{name} begins")
            case StepFinished(name=name, usage=usage):
                took = f": {usage.output_tokens} tokens" if usage else ""
                steps.append(f"{name} has ended{took}")


if __name__ == "__main__":
    steps: list[str] = []
    with chain.start({"things": "rivers"}) as run:
        logging = threading.Thread(target=log, args=(run,))
        logging.start()
        for text in run.text:
            print(text, end="", flush=True)
        logging.join()
    print()
    print(*steps, sep="\n")

    with chain.start({"things": "bananas"}) as run:
        try:
            for number, _ in enumerate(run.text, 1):
                if number == 5:
                    run.cancel()
        except Cancelled:
            print(run.status, "estimated" if run.usage.estimated else "told")
