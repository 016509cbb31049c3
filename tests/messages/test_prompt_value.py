from millstream.messages import AIMessage, ChatPromptValue, HumanMessage, PromptValue, StringPromptValue


def test_a_text_reads_as_one_human_message():
    value = StringPromptValue("hi")
    assert isinstance(value, PromptValue)
    assert value.to_string() == "hi"
    assert value.to_messages() == [HumanMessage("hi")]


def test_messages_read_as_lines():
    value = ChatPromptValue([HumanMessage("hi"), AIMessage("ho")])
    assert value.to_string() == "Human: hi\nAI: ho"
    assert value.to_messages() == value.messages
    assert value.to_messages() is not value.messages
    assert value == ChatPromptValue(messages=[HumanMessage("hi"), AIMessage("ho")])
