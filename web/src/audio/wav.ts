// A conversation as a stereo WAV file (user left, agent right), made while it goes on.

import { FRAME_SAMPLES, SAMPLE_RATE } from "../frames";

const TOGETHER = 250; // frames that become one piece of the file: the browser may move it out of memory

/** The 44 bytes before 16-bit samples. @param bytes of samples */
export function wavHeader(bytes: number, channels: number): ArrayBuffer {
  const header = new DataView(new ArrayBuffer(44));
  const word = (at: number, text: string) =>
    [...text].forEach((letter, i) => header.setUint8(at + i, letter.charCodeAt(0)));
  word(0, "RIFF");
  header.setUint32(4, 36 + bytes, true);
  word(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true);
  header.setUint16(22, channels, true);
  header.setUint32(24, SAMPLE_RATE, true);
  header.setUint32(28, SAMPLE_RATE * 2 * channels, true);
  header.setUint16(32, 2 * channels, true);
  header.setUint16(34, 16, true);
  word(36, "data");
  header.setUint32(40, bytes, true);
  return header.buffer;
}

export class Recorder {
  frames = 0;
  private pieces: Blob[] = [];
  private recent: Int16Array<ArrayBuffer>[] = [];

  add(user: Int16Array, agent: Int16Array): void {
    const both = new Int16Array(2 * FRAME_SAMPLES);
    for (let i = 0; i < FRAME_SAMPLES; i++) {
      both[2 * i] = user[i]!;
      both[2 * i + 1] = agent[i]!;
    }
    this.recent.push(both);
    this.frames++;
    if (this.recent.length >= TOGETHER) this.gather();
  }

  finish(): Blob {
    this.gather();
    return new Blob([wavHeader(this.frames * FRAME_SAMPLES * 4, 2), ...this.pieces], { type: "audio/wav" });
  }

  private gather(): void {
    this.pieces.push(new Blob(this.recent));
    this.recent = [];
  }
}
