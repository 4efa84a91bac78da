// Sound as messages: raw Opus packets through WebCodecs, or plain 16-bit PCM. Each works both ways, for one conversation.

import { toFloat } from "../audio/level";
import { Resampler } from "../audio/resample";
import { FRAME_SECONDS, SAMPLE_RATE } from "../frames";

export interface Wire {
  readonly format: "pcm" | "opus-raw";
  encode(frame: Int16Array<ArrayBuffer>): void;
  decode(payload: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

export interface Ends {
  send(payload: Uint8Array<ArrayBuffer>): void;
  hear(pcm: Float32Array<ArrayBuffer>): void; // 24 kHz
  fail(sentence: string): void;
}

export class PcmWire implements Wire {
  readonly format = "pcm";

  constructor(private readonly ends: Ends) {}

  encode(frame: Int16Array<ArrayBuffer>): void {
    this.ends.send(new Uint8Array(frame.buffer.slice(0))); // every machine that runs browsers is little-endian
  }

  decode(payload: Uint8Array<ArrayBuffer>): void {
    this.ends.hear(toFloat(new Int16Array(payload.slice(0, payload.length & ~1).buffer)));
  }

  close(): void {}
}

const OPUS = { codec: "opus", sampleRate: SAMPLE_RATE, numberOfChannels: 1 };
const ENCODER: AudioEncoderConfig = { ...OPUS, bitrate: 32_000, opus: { frameDuration: 20_000 } };

export class OpusWire implements Wire {
  readonly format = "opus-raw";
  private readonly encoder: AudioEncoder;
  private readonly decoder: AudioDecoder;
  private resampler: Resampler | null = null;
  private sent = 0; // frames
  private received = 0; // packets

  constructor(private readonly ends: Ends) {
    const error = () => ends.fail("The browser's Opus codec failed.");
    this.encoder = new AudioEncoder({
      output: (chunk) => {
        const packet = new Uint8Array(chunk.byteLength);
        chunk.copyTo(packet);
        ends.send(packet);
      },
      error,
    });
    this.decoder = new AudioDecoder({ output: (sound) => this.decoded(sound), error });
    this.encoder.configure(ENCODER);
    this.decoder.configure(OPUS);
  }

  /** Whether this browser can. */
  static async works(): Promise<boolean> {
    if (!("AudioEncoder" in window) || !("AudioDecoder" in window)) return false;
    try {
      const [out, into] = await Promise.all([
        AudioEncoder.isConfigSupported(ENCODER),
        AudioDecoder.isConfigSupported(OPUS),
      ]);
      return Boolean(out.supported && into.supported);
    } catch {
      return false;
    }
  }

  encode(frame: Int16Array<ArrayBuffer>): void {
    const timestamp = this.sent++ * FRAME_SECONDS * 1e6;
    const sound = new AudioData({
      format: "s16",
      sampleRate: SAMPLE_RATE,
      numberOfFrames: frame.length,
      numberOfChannels: 1,
      timestamp,
      data: frame,
    });
    this.encoder.encode(sound);
    sound.close();
  }

  decode(payload: Uint8Array<ArrayBuffer>): void {
    this.decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: this.received++ * 20_000, data: payload }));
  }

  private decoded(sound: AudioData): void {
    const pcm = new Float32Array(sound.numberOfFrames);
    sound.copyTo(pcm, { planeIndex: 0, format: "f32-planar" });
    this.resampler ??= new Resampler(sound.sampleRate, SAMPLE_RATE); // browsers decode Opus at 48 kHz
    sound.close();
    this.ends.hear(new Float32Array(this.resampler.push(pcm)));
  }

  close(): void {
    for (const codec of [this.encoder, this.decoder]) if (codec.state !== "closed") codec.close();
  }
}
