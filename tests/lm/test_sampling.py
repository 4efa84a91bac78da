import pytest
import torch

from personaplex.lm.sampling import Chooser, Limits, Sampling, sample


def draw(logits, sampling, luck):
    return Chooser([sampling] * len(logits)).audio(logits, luck)


def test_defaults_are_the_published_ones():
    assert Sampling() == Sampling(
        temp_audio=0.8, topk_audio=250, temp_text=0.7, topk_text=25, greedy=False, temp_word=0.0, padding_bonus=0.0
    )


def test_greedy_takes_the_likeliest_whatever_the_luck():
    logits = torch.randn(5, 40)
    assert torch.equal(draw(logits, Sampling(greedy=True), torch.rand(5)), logits.argmax(-1))


@pytest.mark.parametrize(("temperature", "top_k"), [(1.0, 0), (0.5, 4), (2.0, 3), (0.8, 250)])
def test_frequencies_follow_the_tempered_top_k_softmax(temperature, top_k):
    torch.manual_seed(0)
    logits, count = torch.randn(8), 20_000
    luck = (torch.arange(count) + 0.5) / count  # an even grid: frequencies are exact to 1 / count
    tokens = draw(logits.expand(count, 8), Sampling(temp_audio=temperature, topk_audio=top_k), luck)
    kept = logits.topk(min(top_k, 8) or 8).indices
    expected = torch.zeros(8)
    expected[kept] = (logits[kept] / temperature).softmax(0)
    assert torch.allclose(torch.bincount(tokens, minlength=8) / count, expected, atol=2e-4)


@pytest.mark.parametrize("luck", [0.0, 1 - 2**-24])
def test_the_ends_of_luck_still_hit_a_candidate(luck):
    logits = torch.tensor([[-100.0, 0.0, 1.0, 2.0, -100.0]])
    token = draw(logits, Sampling(topk_audio=3), torch.tensor([luck]))
    assert token.item() in (1, 2, 3)


def test_ties_at_the_threshold_all_stay():
    logits = torch.tensor([1.0, 0.0, 0.0, 0.0, -1.0]).expand(1000, 5)
    tokens = draw(logits, Sampling(topk_audio=2), torch.arange(1000) / 1000)
    assert set(tokens.tolist()) == {0, 1, 2, 3}


def test_a_row_depends_on_its_own_logits_settings_and_luck_alone():
    torch.manual_seed(1)
    logits, luck = torch.randn(64, 300), torch.rand(64)
    alone = Sampling(temp_audio=0.9, topk_audio=7)
    expected = draw(logits[:1], alone, luck[:1])
    for others in [alone, Sampling(topk_audio=0), Sampling(topk_audio=299), Sampling(greedy=True)]:
        for row in range(3):
            settings = [others] * 4
            settings[row] = alone
            mixed, mixed_luck = torch.randn(4, 300), torch.rand(4)
            mixed[row], mixed_luck[row] = logits[0], luck[0]
            assert Chooser(settings).audio(mixed, mixed_luck)[row] == expected


def test_text_and_audio_have_settings_of_their_own():
    logits = torch.tensor([[0.0, 0.1, 0.2]])
    chooser = Chooser([Sampling(topk_text=1, topk_audio=3)])
    assert chooser.text(logits, torch.tensor([0.0])) == 2
    assert chooser.audio(logits, torch.tensor([0.0])) == 0


def test_words_may_have_a_temperature_of_their_own_which_leaves_alone_whether_one_is_due():
    logits, count, pads = torch.tensor([1.0, 0.5, 2.0, -1.0]), 20_000, (0, 3)
    luck = (torch.arange(count) + 0.5) / count
    settings = Sampling(temp_text=0.8, topk_text=0, temp_word=0.25)
    tokens = Chooser([settings] * count, pads=pads).text(logits.expand(count, 4), luck)
    share = torch.bincount(tokens, minlength=4) / count
    mass = logits[1:3].logsumexp(0)
    expected = (torch.stack([logits[0], mass, logits[3]]) / 0.8).softmax(0)
    torch.testing.assert_close(share[[0, 3]], expected[[0, 2]], rtol=0, atol=2e-4)
    torch.testing.assert_close(share[1:3], expected[1] * (logits[1:3] / 0.25).softmax(0), rtol=0, atol=2e-4)
    beside = Chooser([settings, Sampling(topk_text=0), Sampling(greedy=True)], pads=pads)
    alone = Chooser([Sampling(topk_text=0)], pads=pads)
    for chance in luck[::500]:
        found = beside.text(logits.expand(3, 4), chance.expand(3))
        assert found[1] == alone.text(logits[None], chance[None])[0] and found[2] == 2


def test_padding_may_be_made_likelier_or_less():
    logits, pads, luck = torch.randn(1, 6), (0, 3), torch.arange(0.0, 1.0, 0.01)
    for word in (0.0, 0.4):
        settings = Sampling(topk_text=0, temp_word=word, padding_bonus=-1.5)
        moved = logits.clone()
        moved[:, [0, 3]] -= 1.5
        plain = Sampling(topk_text=0, temp_word=word)
        beside = Chooser([settings, plain, settings.but(greedy=True)], pads=pads)
        alone = Chooser([plain], pads=pads)
        for chance in luck:
            found = beside.text(logits.expand(3, 6), chance.expand(3))
            assert found[0] == alone.text(moved, chance[None])[0] and found[1] == alone.text(logits, chance[None])[0]
            assert found[2] == logits.argmax()


def test_what_is_never_to_be_said_is_not_chosen():
    logits = torch.tensor([[9.0, 1.0, 0.0, 0.0]] * 2)
    chooser = Chooser([Sampling(), Sampling(greedy=True)], unsaid=[0])
    assert chooser.text(logits, torch.tensor([0.0, 0.0])).tolist() == [1, 1]
    assert chooser.audio(logits, torch.tensor([0.0, 0.0])).tolist() == [0, 0]  # of the text alone
    assert logits[0, 0] == 9.0


def test_half_precision_logits_are_drawn_in_float32():
    logits = torch.randn(2, 50).bfloat16()
    luck = torch.rand(2)
    assert torch.equal(draw(logits, Sampling(), luck), draw(logits.float(), Sampling(), luck))


@pytest.mark.parametrize(
    "wrong",
    [
        {"temp_audio": 0.0},
        {"temp_text": -1.0},
        {"temp_text": float("nan")},
        {"topk_text": -1},
        {"temp_word": -0.1},
        {"padding_bonus": float("nan")},
    ],
)
def test_settings_without_meaning_are_refused(wrong):
    with pytest.raises(ValueError):
        Sampling(**wrong)


def test_sample_accepts_no_limit_at_all():
    logits = torch.zeros(1, 4)
    assert sample(logits, Limits([1.0], [0]), torch.tensor([0.6])).item() == 2
