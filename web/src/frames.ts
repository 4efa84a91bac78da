// The grid that a conversation lies on, as in personaplex.frames.

export const SAMPLE_RATE = 24_000; // Hz
export const FRAME_SAMPLES = 1_920;
export const FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE; // 80 ms
export const LINE_PAUSE = 15; // frames without a word, after which the next one begins a new line

/** Seconds as m:ss. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
