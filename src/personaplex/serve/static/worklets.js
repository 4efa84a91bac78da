// What runs on the audio thread: the microphone as 80 ms frames, and the agent's frames as sound.

import { JitterBuffer } from "./jitter.js";
import { Resampler } from "./resample.js";

const RATE = 24000; // Hz, of every frame
const FRAME = 1920; // samples, 80 ms

function rms(samples) {
  let sum = 0;
  for (const x of samples) sum += x * x;
  return Math.sqrt(sum / samples.length);
}

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = new Resampler(sampleRate, RATE);
    this.frame = new Float32Array(FRAME);
    this.filled = 0;
    this.muted = false;
    this.port.onmessage = ({ data }) => (this.muted = data.muted);
  }

  process([input]) {
    // A muted or vanished microphone is silence: the conversation's clock goes on.
    const heard = !this.muted && input.length ? input[0] : new Float32Array(128);
    for (const x of this.resampler.push(heard)) {
      this.frame[this.filled++] = x;
      if (this.filled === FRAME) this.send();
    }
    return true;
  }

  send() {
    const pcm = new DataView(new ArrayBuffer(2 * FRAME));
    this.frame.forEach((x, i) => pcm.setInt16(2 * i, Math.max(-32768, Math.min(32767, Math.round(x * 32767))), true));
    this.port.postMessage({ pcm: pcm.buffer, level: rms(this.frame) }, [pcm.buffer]);
    this.filled = 0;
  }
}

class Playback extends AudioWorkletProcessor {
  constructor() {
    super();
    this.buffer = new JitterBuffer(sampleRate);
    this.resampler = new Resampler(RATE, sampleRate);
    this.energy = 0;
    this.played = 0;
    this.port.onmessage = ({ data }) => {
      const view = new DataView(data);
      const samples = new Float32Array(data.byteLength >> 1);
      for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(2 * i, true) / 32768;
      this.buffer.push(this.resampler.push(samples));
    };
  }

  process(_, [output]) {
    const out = output[0];
    this.buffer.pull(out);
    for (let i = 1; i < output.length; i++) output[i].set(out);
    for (const x of out) this.energy += x * x;
    this.played += out.length;
    if (this.played >= 0.08 * sampleRate) {
      const { seconds, gaps, dropped } = this.buffer;
      this.port.postMessage({
        level: Math.sqrt(this.energy / this.played), seconds, gaps, dropped: dropped / sampleRate,
      });
      this.energy = this.played = 0;
    }
    return true;
  }
}

registerProcessor("capture", Capture);
registerProcessor("playback", Playback);
