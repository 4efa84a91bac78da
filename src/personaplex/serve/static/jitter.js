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
  /** @param {number} rate samples a second */
  constructor(rate) {
    this.rate = rate;
    this.blocks = []; // Float32Arrays, oldest first
    this.offset = 0; // samples of blocks[0] that are gone
    this.buffered = 0; // samples
    this.keep = START * rate;
    this.playing = false;
    this.waited = 0; // samples of silence given since something is there to play
    this.wait = this.keep; // how many to give
    this.calm = 0; // samples played since the last gap
    this.gaps = 0;
    this.dropped = 0; // samples
  }

  /** @param {Float32Array} samples */
  push(samples) {
    if (!samples.length) return;
    this.blocks.push(samples);
    this.buffered += samples.length;
  }

  /** Fill a block with what is to be heard now. @param {Float32Array} out */
  pull(out) {
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
    if (excess > 0) {
      const skip = Math.min(this.buffered - out.length, Math.round(excess + SLACK * this.rate * 0.75));
      if (skip > 0) {
        ramp(out, 1, 0);
        this.skip(skip);
        const later = new Float32Array(out.length);
        this.take(later);
        ramp(later, 0, 1);
        for (let i = 0; i < out.length; i++) out[i] += later[i];
        this.dropped += skip;
      }
    }
    if (this.calm > CALM * this.rate && this.keep > START * this.rate) {
      this.keep -= (GROW / 2) * this.rate;
      this.calm = 0;
    }
  }

  /** Seconds that wait to be heard. */
  get seconds() {
    return this.buffered / this.rate;
  }

  pause() {
    this.playing = false;
    this.gaps++;
    this.calm = 0;
    this.waited = 0;
    this.wait = GROW * this.rate;
    this.keep = Math.min(this.keep + GROW * this.rate, MOST * this.rate);
  }

  take(out) {
    let filled = 0;
    while (filled < out.length && this.blocks.length) {
      const rest = this.blocks[0].subarray(this.offset, this.offset + out.length - filled);
      out.set(rest, filled);
      filled += rest.length;
      this.advance(rest.length);
    }
  }

  skip(count) {
    while (count > 0 && this.blocks.length) {
      const step = Math.min(count, this.blocks[0].length - this.offset);
      this.advance(step);
      count -= step;
    }
  }

  advance(count) {
    this.offset += count;
    this.buffered -= count;
    if (this.offset >= this.blocks[0].length) {
      this.blocks.shift();
      this.offset = 0;
    }
  }
}

function ramp(samples, from, to) {
  const step = (to - from) / samples.length;
  for (let i = 0; i < samples.length; i++) samples[i] *= from + step * i;
}
