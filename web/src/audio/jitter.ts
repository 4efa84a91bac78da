// The playback buffer: evens out how unevenly the network delivers. Knows samples and counts, no audio device.
//
// Sound starts once its first sample has waited 80 ms. When it runs dry there is a faded gap, and from then on 40 ms more
// are kept. When much more is waiting than is kept, the oldest goes, under a cross-fade.

const START = 0.08; // s
const GROW = 0.04; // s for each gap
const MOST = 0.48; // s
const SLACK = 0.16; // s above what is kept before the oldest goes: sound arrives 80 ms at a time
const CALM = 15; // s without a gap before less is kept again
const FADE = 0.004; // s

export class JitterBuffer {
  keep: number; // samples
  buffered = 0; // samples
  gaps = 0;
  dropped = 0; // samples
  private blocks: Float32Array[] = []; // oldest first
  private offset = 0; // samples of blocks[0] that are gone
  private playing = false;
  private waited = 0; // samples of silence given since something is there to play
  private wait: number; // how many to give
  private calm = 0; // samples played since the last gap

  /** @param rate samples a second */
  constructor(readonly rate: number) {
    this.keep = START * rate;
    this.wait = this.keep;
  }

  push(samples: Float32Array): void {
    if (!samples.length) return;
    this.blocks.push(samples);
    this.buffered += samples.length;
  }

  /** Fill a block with what is to be heard now. */
  pull(out: Float32Array): void {
    out.fill(0);
    if (!this.playing) {
      if (!this.buffered) return;
      this.waited += out.length;
      if (this.waited < this.wait) return;
      this.playing = true;
      if (this.buffered > out.length) this.take(out);
      ramp(out, 0, 1);
      return;
    }
    if (this.buffered < out.length + FADE * this.rate) {
      this.take(out);
      ramp(out, 1, 0);
      this.pause();
      return;
    }
    const excess = this.buffered - this.keep - SLACK * this.rate;
    this.take(out);
    this.calm += out.length;
    if (excess > 0) this.catchUp(out, excess);
    if (this.calm > CALM * this.rate && this.keep > START * this.rate) {
      this.keep -= (GROW / 2) * this.rate;
      this.calm = 0;
    }
  }

  /** Seconds that wait to be heard. */
  get seconds(): number {
    return this.buffered / this.rate;
  }

  /** Forget what waits, as at the start. */
  clear(): void {
    this.skip(this.buffered);
    this.playing = false;
    this.waited = 0;
    this.wait = this.keep;
  }

  private catchUp(out: Float32Array, excess: number): void {
    const skip = Math.min(this.buffered - out.length, Math.round(excess + SLACK * this.rate * 0.75));
    if (skip <= 0) return;
    ramp(out, 1, 0);
    this.skip(skip);
    const later = new Float32Array(out.length);
    this.take(later);
    ramp(later, 0, 1);
    later.forEach((x, i) => (out[i]! += x));
    this.dropped += skip;
  }

  private pause(): void {
    this.playing = false;
    this.gaps++;
    this.calm = 0;
    this.waited = 0;
    this.wait = GROW * this.rate;
    this.keep = Math.min(this.keep + GROW * this.rate, MOST * this.rate);
  }

  private take(out: Float32Array): void {
    let filled = 0;
    while (filled < out.length && this.blocks.length) {
      const rest = this.blocks[0]!.subarray(this.offset, this.offset + out.length - filled);
      out.set(rest, filled);
      filled += rest.length;
      this.advance(rest.length);
    }
  }

  private skip(count: number): void {
    while (count > 0 && this.blocks.length) {
      const step = Math.min(count, this.blocks[0]!.length - this.offset);
      this.advance(step);
      count -= step;
    }
  }

  private advance(count: number): void {
    this.offset += count;
    this.buffered -= count;
    if (this.offset >= this.blocks[0]!.length) {
      this.blocks.shift();
      this.offset = 0;
    }
  }
}

function ramp(samples: Float32Array, from: number, to: number): void {
  const step = (to - from) / samples.length;
  for (let i = 0; i < samples.length; i++) samples[i]! *= from + step * i;
}
