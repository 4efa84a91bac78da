// Does the microphone hear the loudspeaker? Notes are played, and looked for in what comes back. Knows samples only.
//
// Short notes at the pace of syllables, since noise suppression takes long tones for noise, and those would not come back.

import { FRAME_SAMPLES, SAMPLE_RATE } from "../frames";

const TONES = [520, 700, 940, 1150, 1420, 1750]; // Hz: in the middle of speech, none a multiple of another
const NOTE = 0.16; // s, of which a quarter is silent
const QUIET_FRAMES = 8; // listened to before the tones
const TONE_FRAMES = 16; // 1.3 s
const LATE_FRAMES = 7; // for the way through the devices
const RISE = 8; // dB above the room's own sound at these pitches
const FLOOR = -72; // dB: below it nobody hears anything

export const ECHO_FRAMES = QUIET_FRAMES + TONE_FRAMES + LATE_FRAMES;
export const ECHO_STARTS = QUIET_FRAMES;

/** The notes, float32 in -1..1. */
export function notes(): Float32Array<ArrayBuffer> {
  return new Float32Array(TONE_FRAMES * FRAME_SAMPLES).map((_, i) => {
    const time = i / SAMPLE_RATE;
    const [note, within] = [Math.floor(time / NOTE), (time % NOTE) / (0.75 * NOTE)];
    const pitch = (n: number) => Math.sin(2 * Math.PI * TONES[n % TONES.length]! * time);
    return within < 1 ? 0.18 * Math.sin(Math.PI * within) * (pitch(note) + pitch(note + 3)) : 0;
  });
}

/** The level of all the pitches in a frame, dB (Goertzel's algorithm under a Hann window). */
function level(frame: Int16Array): number {
  let power = 0;
  for (const pitch of TONES) {
    const turn = 2 * Math.cos((2 * Math.PI * pitch) / SAMPLE_RATE);
    let [one, two] = [0, 0];
    frame.forEach((x, i) => {
      const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / frame.length);
      [one, two] = [(x / 32768) * window + turn * one - two, one];
    });
    power += (one * one + two * two - turn * one * two) / (frame.length / 4) ** 2;
  }
  return 10 * Math.log10(power + 1e-12);
}

const quantile = (values: number[], part: number) =>
  [...values].sort((a, b) => a - b)[Math.floor(part * (values.length - 1))]!;

/**
 * Look for the notes.
 * @param frames ECHO_FRAMES of the microphone, the notes played from frame ECHO_STARTS on
 */
export function findEcho(frames: Int16Array[]): { echo: boolean; rise: number } {
  const levels = frames.map(level);
  const before = quantile(levels.slice(0, ECHO_STARTS), 0.5);
  const during = quantile(levels.slice(ECHO_STARTS), 0.75);
  return { echo: during - before > RISE && during > FLOOR, rise: during - before };
}
