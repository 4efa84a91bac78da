"""The pitch of a voice: as a train of pulses, as a codebook, as it is tracked."""

import numpy as np
import pytest
import torch

from personaplex.codec.pitch import MIDDLE, POINTS, PULSE, VOICE, Throat, heights, minimum_phase
from personaplex.codec.quantize import Codebook
from personaplex.frames import PITCH_SAMPLES, SAMPLE_RATE
from personaplex.speech.pitch import track_pitch
from personaplex.train.pitch import fit_pitch


def pulses(hertz):
    """The throat's sound at points of pitch `[N]`, float `[480 N]`, from its spectra."""
    spectra, _ = Throat(2 * PULSE)(heights(torch.tensor(hertz).view(1, -1, POINTS)))
    windows = torch.fft.irfft(spectra)[0, :, :PULSE]
    sound = torch.zeros((len(windows) + 1) * PULSE // 2)
    for index, window in enumerate(windows):
        sound[index * PULSE // 2 :][:PULSE] += window
    return sound


def test_pulses_have_their_pitch_and_unit_power_and_move_with_it():
    steady = pulses([200.0] * 16)[2 * PULSE : -PULSE]
    period = SAMPLE_RATE // 200
    torch.testing.assert_close(steady[period:], steady[:-period], atol=2e-2, rtol=0)
    assert float(steady.square().mean()) == pytest.approx(1.0, rel=0.02)
    glide = np.geomspace(100, 200, 40).astype(np.float32)
    heard = track_pitch(pulses(glide.tolist()).numpy())
    late = 1.5  # points by which the sound comes after its pitch
    wanted = np.interp(np.arange(len(heard)) - late, np.arange(len(glide)), glide)
    assert np.abs(12 * np.log2(heard[4:-4] / wanted[4:-4])).max() < 0.5  # semitones


def test_no_voice_is_silent_and_a_voice_begins_at_its_own_pitch():
    sound = pulses([0.0] * 8 + [150.0] * 8)
    assert float(sound[: 8 * PITCH_SAMPLES].abs().max()) == 0.0
    assert np.median(track_pitch(sound.numpy())[12:]) == pytest.approx(150, rel=0.02)


def test_a_minimum_phase_filter_has_its_magnitudes_and_comes_at_once():
    slope = torch.linspace(1.0, -4.0, 481) + torch.linspace(0, 12, 481).sin()
    spectrum = minimum_phase(slope)
    torch.testing.assert_close(spectrum.abs().log(), slope, atol=1e-4, rtol=1e-4)
    response = torch.fft.irfft(spectrum).square()
    assert float(response[:200].sum() / response.sum()) > 0.999


def test_a_codebook_of_pitch_knows_melodies_and_silence():
    random = np.random.default_rng(0)
    frames = random.uniform(80, 300, (4000, 1)) * np.cumprod(random.uniform(0.98, 1.02, (4000, POINTS)), axis=1)
    frames[::5, 2:] = 0  # the voice ends
    hertz = torch.tensor(frames, dtype=torch.float32)
    codebook = Codebook(256, 2 * POINTS)
    fit_pitch(codebook, hertz)
    entries = codebook.lookup(codebook.nearest(heights(hertz)[None])[0])
    height, voice = entries.chunk(2, dim=-1)
    voiced = hertz > 0
    assert torch.equal(voice > VOICE / 2, voiced)
    octaves = (height - (hertz.clamp(min=1) / MIDDLE).log2())[voiced].abs()
    assert float(octaves.mean()) < 0.5 / 12
    silence = codebook.nearest(heights(torch.zeros(1, 1, POINTS)))
    assert float(codebook.lookup(silence).abs().max()) == 0.0


def test_pitch_is_tracked_where_there_is_a_voice():
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = sum(np.sin(2 * np.pi * 130 * k * time) / k for k in range(1, 9)).astype(np.float32) / 8
    pcm = np.concatenate([np.zeros(SAMPLE_RATE // 2, np.float32), tone, np.zeros(SAMPLE_RATE // 2, np.float32)])
    pitch = track_pitch(pcm)
    assert len(pitch) == 100 and not pitch[:24].any() and not pitch[77:].any()
    assert np.abs(pitch[28:72] - 130).max() < 2
    assert not track_pitch(np.zeros(960, np.float32)).any()
