"""A typed answer of the local model: objects that fill as they are written, and a validated last one."""

from dataclasses import dataclass

from millstream import init_chat_model


@dataclass
class Country:
    name: str
    capital: str
    population: int


model = init_chat_model("local", temperature=0, max_tokens=60)
country = model.with_structured_output(Country)

if __name__ == "__main__":
    question = "Describe Spain as JSON: its name, its capital (Madrid), its population (48000000)."
    for partial in country.stream(question):
        print(partial, flush=True)
    answer = country.invoke(question)
    print(f"{answer.capital} is the capital of {answer.name}.")
