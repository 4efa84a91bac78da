import pytest

from personaplex.spelling import number, spell_out


def test_numbers_in_words():
    assert [number(n) for n in (0, 13, 20, 48, 100, 215, 1000, 9999)] == [
        "zero",
        "thirteen",
        "twenty",
        "forty eight",
        "one hundred",
        "two hundred fifteen",
        "one thousand",
        "nine thousand nine hundred ninety nine",
    ]


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Labor cost remains $60 per hour.", "Labor cost remains sixty dollars per hour."),
        ("$1,299.50; $1; £2.01; € 0.99", "one thousand two hundred ninety nine dollars and fifty cents; one dollar; "
         "two pounds and one penny; zero euros and ninety nine cents"),
        ("15% off, 20 % more", "fifteen percent off, twenty percent more"),
        ("9:30am-5 p.m., from 10:05 to 11:00", "nine thirty a m-five p m, from ten oh five to eleven"),
        ("Call 555-0142.", "Call five five five zero one four two."),
        ("a 3-day delay, 7.5 miles, room 007", "a three-day delay, seven point five miles, room zero zero seven"),
        ("order 1234567 of 1,000", "order one two three four five six seven of one thousand"),
        ("no figures", "no figures"),
    ],
)  # fmt: skip
def test_figures_are_spelt_as_they_are_said(written, spoken):
    assert spell_out(written) == spoken
    assert spell_out(spoken) == spoken
