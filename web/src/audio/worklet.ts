// What runs on the audio thread: microphone and loudspeaker on one clock, so that both sides of a frame were heard together.
//
// In: `{play: Float32Array}` at 24 kHz, `{muted}`, `{clear}`. Out: one `Heard` every 80 ms.

import { FRAME_SAMPLES, SAMPLE_RATE } from "../frames";
import { JitterBuffer } from "./jitter";
import { rms, toInt16 } from "./level";
import { Resampler } from "./resample";

/** 80 ms of both sides, and how playback fares. */
export interface Heard {
  user: Int16Array<ArrayBuffer>; // as sent: silence when muted
  agent: Int16Array<ArrayBuffer>; // as played
  userLevel: number; // RMS
  agentLevel: number;
  buffer: number; // s that wait to be played
  gaps: number;
  dropped: number; // s
}

export type Order = { play: Float32Array<ArrayBuffer> } | { muted: boolean } | { clear: true };

// The audio thread's globals, which TypeScript's DOM library leaves out.
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

const BLOCK = 128;

/** Samples in a row. */
class Fifo {
  length = 0;
  private blocks: Float32Array[] = [];

  push(samples: Float32Array): void {
    if (!samples.length) return;
    this.blocks.push(samples);
    this.length += samples.length;
  }

  /** Fill `out` with the oldest; what is missing stays zero. */
  take(out: Float32Array): void {
    let filled = 0;
    while (filled < out.length && this.blocks.length) {
      const first = this.blocks[0]!;
      const piece = first.subarray(0, out.length - filled);
      out.set(piece, filled);
      filled += piece.length;
      this.length -= piece.length;
      if (piece.length === first.length) this.blocks.shift();
      else this.blocks[0] = first.subarray(piece.length);
    }
  }
}

class Duplex extends AudioWorkletProcessor {
  private toGrid = new Resampler(sampleRate, SAMPLE_RATE);
  private fromGrid = new Resampler(SAMPLE_RATE, sampleRate);
  private jitter = new JitterBuffer(SAMPLE_RATE);
  private said = new Fifo(); // by the user, 24 kHz
  private played = new Fifo(); // of the agent, 24 kHz
  private waiting = new Fifo(); // of the agent, at the device's rate
  private muted = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<Order>) => {
      if ("play" in data) this.jitter.push(data.play);
      else if ("muted" in data) this.muted = data.muted;
      else this.jitter.clear();
    };
  }

  process([input]: Float32Array[][], [output]: Float32Array[][]): boolean {
    const out = output![0]!;
    while (this.waiting.length < out.length) {
      const block = new Float32Array(BLOCK);
      this.jitter.pull(block);
      this.played.push(block);
      this.waiting.push(this.fromGrid.push(block));
    }
    this.waiting.take(out);
    // A muted or vanished microphone is silence: the conversation's clock goes on.
    const heard = !this.muted && input?.[0] ? input[0].slice() : new Float32Array(out.length);
    this.said.push(this.toGrid.push(heard));
    while (this.said.length >= FRAME_SAMPLES) this.report();
    return true;
  }

  private report(): void {
    const [user, agent] = [new Float32Array(FRAME_SAMPLES), new Float32Array(FRAME_SAMPLES)];
    this.said.take(user);
    this.played.take(agent);
    const { seconds, gaps, dropped } = this.jitter;
    const heard: Heard = {
      user: toInt16(user),
      agent: toInt16(agent),
      userLevel: rms(user),
      agentLevel: rms(agent),
      buffer: seconds,
      gaps,
      dropped: dropped / SAMPLE_RATE,
    };
    this.port.postMessage(heard, [heard.user.buffer, heard.agent.buffer]);
  }
}

registerProcessor("duplex", Duplex);
