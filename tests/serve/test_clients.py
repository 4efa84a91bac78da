"""Clients that nobody here wrote hold a conversation with the bundled model: OpenAI's SDK and pipecat."""

import asyncio
import base64
from pathlib import Path

import numpy as np
import pytest

from personaplex.audio import read_audio
from personaplex.checkpoints import load_model
from tests.serve.talker import PATIENCE, serving

pytestmark = pytest.mark.slow
ASSETS = Path(__file__).parents[2] / "assets"
ROLE = (ASSETS / "role_teacher.txt").read_text()


@pytest.fixture(scope="module")
def nano():
    with serving(load_model("nano"), sessions=1, backlog=1000) as served:
        yield served


@pytest.fixture(scope="module")
def question():
    """A spoken question, int16 little-endian at 24 kHz, and then two seconds of silence."""
    pcm = np.concatenate([read_audio(ASSETS / "question_teacher.wav"), np.zeros(48_000, np.float32)])
    return (pcm * 32767).astype("<i2").tobytes()


def blocks(sound, seconds=0.08):
    size = 2 * round(24_000 * seconds)
    return [sound[at : at + size] for at in range(0, len(sound), size)]


def test_openais_sdk_holds_a_conversation(nano, question):
    from openai import AsyncOpenAI

    async def talk():
        client = AsyncOpenAI(api_key="none", base_url=f"{nano.url}/v1")
        kinds, sound, said = [], b"", ""
        async with client.realtime.connect(model="nano", extra_query={"seed": "2"}) as connection:
            async for event in connection:
                kinds.append(event.type)
                if event.type == "session.created":
                    audio = {"output": {"voice": "NATM1"}}
                    await connection.session.update(session={"type": "realtime", "instructions": ROLE, "audio": audio})
                elif event.type == "session.updated":
                    for block in blocks(question):
                        await connection.input_audio_buffer.append(audio=base64.b64encode(block).decode())
                elif event.type == "response.created":
                    sound, said = b"", ""
                elif event.type == "response.output_audio.delta":
                    sound += base64.b64decode(event.delta)
                elif event.type == "response.output_audio_transcript.delta":
                    said += event.delta
                elif event.type == "response.done" and event.response.status != "cancelled":  # as one begun in a pause
                    return kinds, sound, said, event.response

    kinds, sound, said, response = asyncio.run(asyncio.wait_for(talk(), 3 * PATIENCE))
    assert kinds.index("response.created") < kinds.index("response.output_audio.delta") < kinds.index("response.done")
    assert response.status == "completed" and response.output[0].content[0].transcript == said.strip()
    assert said.strip()
    assert np.abs(np.frombuffer(sound, "<i2").astype(float)).max() > 1000
    assert response.usage.output_token_details.audio_tokens == len(sound) // 3840


@pytest.mark.filterwarnings("ignore:'audioop'")
def test_pipecat_holds_a_conversation(nano, question):
    from pipecat.frames.frames import (
        EndFrame,
        ErrorFrame,
        Frame,
        InputAudioRawFrame,
        LLMFullResponseEndFrame,
        TTSAudioRawFrame,
        TTSTextFrame,
    )
    from pipecat.pipeline.pipeline import Pipeline
    from pipecat.pipeline.worker import PipelineWorker
    from pipecat.processors.frame_processor import FrameProcessor
    from pipecat.services.openai.realtime import events
    from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
    from pipecat.workers.runner import WorkerRunner

    class Listener(FrameProcessor):
        """What a transport would play."""

        def __init__(self):
            super().__init__()
            self.sound, self.said, self.errors = b"", "", []
            self.answered = asyncio.Event()

        async def process_frame(self, frame: Frame, direction):
            await super().process_frame(frame, direction)
            if isinstance(frame, TTSAudioRawFrame):
                assert frame.sample_rate == 24_000
                self.sound += frame.audio
            elif isinstance(frame, TTSTextFrame):
                self.said += frame.text
            elif isinstance(frame, ErrorFrame):
                self.errors.append(frame)
                self.answered.set()
            elif isinstance(frame, LLMFullResponseEndFrame) and self.sound:
                self.answered.set()
            await self.push_frame(frame, direction)

    async def talk():
        audio = events.AudioConfiguration(output=events.AudioOutput(voice="NATM1"))
        llm = OpenAIRealtimeLLMService(
            api_key="none",
            base_url=f"{nano.url.replace('http', 'ws', 1)}/v1/realtime?seed=1&more=",  # it appends ?model=nano
            settings=OpenAIRealtimeLLMService.Settings(
                model="nano",
                session_properties=events.SessionProperties(instructions=ROLE, audio=audio),
            ),
        )
        listener = Listener()
        pipeline = PipelineWorker(Pipeline([llm, listener]), idle_timeout_secs=None)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(pipeline)
        running = asyncio.create_task(runner.run())
        async with asyncio.timeout(PATIENCE):
            while not llm._api_session_ready:  # noqa: ASYNC110 (pipecat has no event for it)
                await asyncio.sleep(0.05)
        for block in blocks(question, 0.02):
            await pipeline.queue_frame(InputAudioRawFrame(audio=block, sample_rate=24_000, num_channels=1))
        await asyncio.wait_for(listener.answered.wait(), 3 * PATIENCE)
        await pipeline.queue_frame(EndFrame())
        await asyncio.wait_for(running, PATIENCE)
        return listener

    listener = asyncio.run(talk())
    assert not listener.errors
    assert listener.said.strip()
    assert np.abs(np.frombuffer(listener.sound, "<i2").astype(float)).max() > 1000
