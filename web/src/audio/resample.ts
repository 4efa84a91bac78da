// Streaming resampler: a windowed sinc, any ratio, any block length. Knows samples only.

const ZEROS = 16; // zero crossings on each side
const STEPS = 256; // table entries between two zero crossings

export class Resampler {
  private readonly step: number; // input samples for each output sample
  private readonly reach: number;
  private readonly table: Float32Array;
  private held: Float32Array; // silence before the beginning
  private at: number; // where in `held` the next output sample is centred

  /** From one rate to another, both in Hz. */
  constructor(from: number, to: number) {
    this.step = from / to;
    const cutoff = Math.min(1, to / from) * 0.95; // of the input's Nyquist frequency
    this.reach = Math.ceil(ZEROS / cutoff);
    this.table = new Float32Array(this.reach * STEPS + 2);
    for (let i = 0; i < this.table.length; i++) {
      const x = i / STEPS;
      const window = x < this.reach ? 0.5 + 0.5 * Math.cos((Math.PI * x) / this.reach) : 0;
      const angle = Math.PI * x * cutoff;
      this.table[i] = cutoff * window * (angle === 0 ? 1 : Math.sin(angle) / angle);
    }
    this.held = new Float32Array(this.reach);
    this.at = this.reach;
  }

  /** As many samples as are known by now. */
  push(input: Float32Array): Float32Array {
    if (this.step === 1) return input;
    const all = new Float32Array(this.held.length + input.length);
    all.set(this.held);
    all.set(input, this.held.length);
    const out = new Float32Array(Math.max(0, Math.ceil((all.length - this.reach - this.at) / this.step)));
    let made = 0;
    while (this.at + this.reach < all.length) {
      const first = Math.ceil(this.at - this.reach + 1e-9);
      const last = Math.floor(this.at + this.reach - 1e-9);
      let sum = 0;
      for (let i = first; i <= last; i++) {
        const x = Math.abs(this.at - i) * STEPS;
        const k = x | 0;
        sum += all[i]! * (this.table[k]! + (x - k) * (this.table[k + 1]! - this.table[k]!));
      }
      out[made++] = sum;
      this.at += this.step;
    }
    const done = Math.max(0, Math.min(all.length, Math.floor(this.at - this.reach)));
    this.held = all.slice(done);
    this.at -= done;
    return out.subarray(0, made);
  }
}
