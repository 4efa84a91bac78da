"""A detail is the same however it is spelled, and another one is not."""

import pytest

from personaplex.bench.details import mentions, specifics, tokens


@pytest.mark.parametrize(
    "detail, said",
    [
        ("$60", "It is sixty dollars."),
        ("$60", "that's $60"),
        ("$60", "sixty"),
        ("$12.50", "twelve dollars and fifty cents"),
        ("$12.50", "twelve fifty"),
        ("$215", "two hundred and fifteen dollars"),
        ("$4800", "It is $4,800."),
        ("$1500", "fifteen hundred dollars"),
        ("15%", "fifteen percent"),
        ("9:30 am", "we open at half past nine"),
        ("9:30 am", "nine thirty in the morning"),
        ("8:45 pm", "a quarter to nine"),
        ("9 am", "at nine"),
        ("12 pm", "at noon"),
        ("076-65-0542", "zero seven six, six five, zero five four two"),
        ("076-65-0542", "oh seven six, sixty five, oh five four two"),
        ("507", "room five zero seven"),
        ("507", "room five oh seven"),
        ("1984", "nineteen eighty four"),
        ("3 days", "within three days"),
        ("2.5 hours|150 minutes", "two and a half hours"),
        ("March 3", "the third of March"),
        ("Monday", "on Mondays"),
        ("cash only", "We only take cash."),
        ("Prescott", "doctor press cot"),  # a recogniser without the name
        ("Jon Reed", "john read"),
    ],
)
def test_the_same_detail(detail, said):
    assert mentions(detail, said)


@pytest.mark.parametrize(
    "detail, said",
    [
        ("$60", "sixty minutes"),
        ("$60", "sixty five dollars"),
        ("15%", "fifteen dollars"),
        ("9:30 am", "nine thirty in the evening"),
        ("9 am", "it takes nine hours"),
        ("9:30 am", "at nine"),
        ("076-65-0542", "zero seven six, seven five, zero five four two"),
        ("507", "room five seventy"),
        ("3 days", "three weeks"),
        ("Monday", "on Sunday"),
        ("Prescott", "doctor Wilson"),
        ("cash only", "we take cards"),
    ],
)
def test_another_detail(detail, said):
    assert not mentions(detail, said)


def test_what_can_not_be_known_unless_told():
    assert tokens("Twenty-five dollars, o'clock; it's 5%") == ["$25", "it's", "5%"]
    assert specifics("Come on Friday, it is twelve dollars for 2 people") == {"friday", "$12", "2"}
    assert specifics("I do not know that.") == set()
